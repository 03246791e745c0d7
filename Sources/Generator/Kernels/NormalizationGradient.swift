private import CKernels

/// Rows of one partial sum.
private let rowGrain = 256

/// Sums of each column of `x` `[…, channels]`, or of `x · y`, in double precision.
func columnSums(_ x: Tensor, times y: Tensor? = nil) -> [Double] {
  let channels = x.shape.last ?? 1
  let rows = x.count / channels
  precondition(y == nil || y?.count == x.count, "sums of \(x.shape) times \(y?.shape ?? [])")
  let pieces = (rows + rowGrain - 1) / rowGrain
  let partial = PartialSums(count: pieces)
  x.workspace.parallel(pieces) { piece in
    var sums = [Double](repeating: 0, count: channels)
    for row in piece * rowGrain..<min(rows, (piece + 1) * rowGrain) {
      // Safe: the row lies inside both tensors.
      let source = unsafe x.pointer + row * channels
      if let y {
        let other = unsafe y.pointer + row * channels
        for channel in 0..<channels {
          sums[channel] += unsafe Double(source[channel]) * Double(other[channel])
        }
      } else {
        for channel in 0..<channels { sums[channel] += unsafe Double(source[channel]) }
      }
    }
    partial.set(piece, sums)
  }
  return partial.total(channels)
}

/// `y = x · scale + shift` per channel of the last axis.
func scaleShift(_ x: Tensor, scale: [Float], shift: [Float]) -> Tensor {
  let channels = scale.count
  precondition(x.shape.last == channels && shift.count == channels, "scale of \(x.shape)")
  let y = x.like()
  let scale = x.workspace.tensor(scale, shape: [channels])
  let shift = x.workspace.tensor(shift, shape: [channels])
  x.workspace.parallel(x.count / channels, grain: rowGrain) { rows in
    // Safe: rows lie inside both tensors.
    unsafe gw_scale_shift(
      x.pointer + rows.lowerBound * channels, rows.count, channels, scale.pointer, shift.pointer,
      0, y.pointer + rows.lowerBound * channels)
  }
  return y
}

/// `y += x · scale` per channel of the last axis, in place.
func addScaledColumns(_ x: Tensor, scale: [Float], to y: Tensor) {
  let channels = scale.count
  precondition(x.shape.last == channels && y.count == x.count, "\(x.shape) added to \(y.shape)")
  let scale = x.workspace.tensor(scale, shape: [channels])
  x.workspace.parallel(x.count / channels, grain: rowGrain) { rows in
    for row in rows {
      // Safe: rows lie inside both tensors.
      let source = unsafe x.pointer + row * channels
      let target = unsafe y.pointer + row * channels
      for channel in 0..<channels {
        unsafe target[channel] += source[channel] * scale.pointer[channel]
      }
    }
  }
}

/// Gradients of layer normalisation (Ba, Kiros and Hinton, 2016) of rows `x` by `weight`: of `x` as
/// the result, of weight and bias added to `weightGradient` and `biasGradient`.
func layerNormGradient(
  _ x: Tensor, weight: Tensor, epsilon: Float, _ dy: Tensor, weightGradient: Tensor,
  biasGradient: Tensor
) -> Tensor {
  let channels = weight.count
  precondition(x.shape.last == channels && dy.count == x.count, "layer norm of \(x.shape)")
  let dx = x.like()
  // Few rows, the queries: on one thread.
  for row in 0..<x.count / channels {
    // Safe: the row lies inside all tensors of its size; weights have `channels` values.
    let source = unsafe x.pointer + row * channels
    let gradient = unsafe dy.pointer + row * channels
    var (mean, square) = (0.0, 0.0)
    for channel in 0..<channels { mean += unsafe Double(source[channel]) }
    mean /= Double(channels)
    for channel in 0..<channels {
      let centred = unsafe Double(source[channel]) - mean
      square += centred * centred
    }
    let inverse = 1 / (square / Double(channels) + Double(epsilon)).squareRoot()
    var (sum, product) = (0.0, 0.0)
    for channel in 0..<channels {
      let normed = unsafe (Double(source[channel]) - mean) * inverse
      let scaled = unsafe Double(gradient[channel]) * Double(weight.pointer[channel])
      sum += scaled
      product += scaled * normed
      unsafe weightGradient.pointer[channel] += Float(normed) * gradient[channel]
      unsafe biasGradient.pointer[channel] += gradient[channel]
    }
    sum /= Double(channels)
    product /= Double(channels)
    for channel in 0..<channels {
      let normed = unsafe (Double(source[channel]) - mean) * inverse
      let scaled = unsafe Double(gradient[channel]) * Double(weight.pointer[channel])
      unsafe dx.pointer[row * channels + channel] =
        Float(inverse * (scaled - sum - normed * product))
    }
  }
  return dx
}

/// The gradient of ReLU: `dy` where the result `y` is positive, else 0.
func reluGradient(_ y: Tensor, _ dy: Tensor) -> Tensor {
  precondition(y.count == dy.count, "gradient \(dy.shape) of \(y.shape)")
  let dx = y.like()
  y.workspace.parallel(y.count, grain: 1 << 15) { range in
    // Safe: the range lies inside all three.
    for index in range {
      unsafe dx.pointer[index] = y.pointer[index] > 0 ? dy.pointer[index] : 0
    }
  }
  return dx
}
