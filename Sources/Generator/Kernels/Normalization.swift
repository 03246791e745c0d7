private import CKernels

/// Pixels of one partial sum.
private let pixelGrain = 128

/// Group normalisation over `[batch, height, width, channels]`, then SiLU if asked for.
///
/// Wu and He, "Group Normalization", 2018. Sums are taken around the first pixel of a channel and
/// joined in double precision (Chan et al.), so a large mean costs no digits.
func groupNorm(
  _ x: Tensor, weight: Tensor, bias: Tensor, groups: Int, epsilon: Float, silu: Bool
) -> Tensor {
  let (batch, channels) = (x.shape[0], x.shape[x.shape.count - 1])
  let pixels = x.count / (batch * channels)
  precondition(
    channels % groups == 0 && weight.count == channels && bias.count == channels,
    "group norm of \(x.shape) in \(groups) groups")
  let pieces = (pixels + pixelGrain - 1) / pixelGrain
  let sums = x.workspace.tensor([batch, pieces, 2, channels])
  x.workspace.parallel(batch * pieces) { task in
    let (image, first) = (task / pieces, task % pieces * pixelGrain)
    let base = unsafe x.pointer + image * pixels * channels
    // Safe: the piece lies inside image `image`; each task has its own sums.
    unsafe gw_channel_sums(
      base + first * channels, min(pixelGrain, pixels - first), channels, base,
      sums.pointer + task * 2 * channels, sums.pointer + (task * 2 + 1) * channels)
  }
  let y = x.like()
  let factors = x.workspace.tensor([batch, 2, channels])
  for image in 0..<batch {
    for group in 0..<groups {
      setFactors(
        x, sums, image: image, pixels: pixels, group: group, groups: groups, epsilon: epsilon,
        weight: weight, bias: bias, into: factors)
    }
  }
  x.workspace.parallel(batch * pieces) { task in
    let (image, first) = (task / pieces, task % pieces * pixelGrain)
    let start = (image * pixels + first) * channels
    // Safe: as above.
    unsafe gw_scale_shift(
      x.pointer + start, min(pixelGrain, pixels - first), channels,
      factors.pointer + image * 2 * channels, factors.pointer + (image * 2 + 1) * channels,
      silu ? 1 : 0, y.pointer + start)
  }
  return y
}

/// Turns the sums of one group into `y = x * scale + shift` per channel.
private func setFactors(
  _ x: Tensor, _ sums: Tensor, image: Int, pixels: Int, group: Int, groups: Int, epsilon: Float,
  weight: Tensor, bias: Tensor, into factors: Tensor
) {
  let (pieces, channels) = (sums.shape[1], sums.shape[3])
  let size = channels / groups
  let range = group * size..<(group + 1) * size
  var means = [Double](repeating: 0, count: size)
  var squares = 0.0
  // Safe: every index is below the product of the shape it goes into.
  for (place, channel) in range.enumerated() {
    var (sum, square) = (0.0, 0.0)
    for piece in 0..<pieces {
      let at = ((image * pieces + piece) * 2) * channels + channel
      sum += Double(unsafe sums.pointer[at])
      square += Double(unsafe sums.pointer[at + channels])
    }
    let pivot = Double(unsafe x.pointer[image * pixels * channels + channel])
    means[place] = pivot + sum / Double(pixels)
    squares += square - sum * sum / Double(pixels)
  }
  let mean = means.reduce(0, +) / Double(size)
  for value in means { squares += Double(pixels) * (value - mean) * (value - mean) }
  let variance = squares / Double(pixels * size)
  let inverse = 1 / (variance + Double(epsilon)).squareRoot()
  for channel in range {
    let scale = Double(unsafe weight.pointer[channel]) * inverse
    let at = image * 2 * channels + channel
    unsafe factors.pointer[at] = Float(scale)
    unsafe factors.pointer[at + channels] =
      Float(Double(unsafe bias.pointer[channel]) - mean * scale)
  }
}

/// Layer normalisation of the last axis (Ba, Kiros and Hinton, 2016).
func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
  let channels = weight.count
  precondition(x.shape.last == channels && bias.count == channels, "layer norm of \(x.shape)")
  let y = x.like()
  x.workspace.parallel(x.count / channels, grain: 64) { rows in
    // Safe: rows lie inside both tensors.
    unsafe gw_layer_norm(
      x.pointer + rows.lowerBound * channels, rows.count, channels, weight.pointer, bias.pointer,
      epsilon, y.pointer + rows.lowerBound * channels)
  }
  return y
}
