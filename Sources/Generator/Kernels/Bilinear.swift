/// How each output position of one axis is made of input positions.
///
/// Enlarging, shrinking and the gradients of both are sums of the same form, so one kernel,
/// ``interpolate(_:rows:columns:)``, does all of them.
struct AxisWeights: Sendable {
  let inputLength: Int
  /// For each output position its inputs and their weights.
  let taps: [[(source: Int, weight: Float)]]

  /// Linear interpolation between pixel centres: `align_corners=false` of PyTorch's
  /// `interpolate`, without antialiasing.
  init(linearFrom inputLength: Int, to outputLength: Int) {
    precondition(
      inputLength > 0 && outputLength > 0, "an axis of \(inputLength) resized to \(outputLength)")
    self.inputLength = inputLength
    let scale = Float(inputLength) / Float(outputLength)
    taps = (0..<outputLength).map { index in
      let position = max(0, (Float(index) + 0.5) * scale - 0.5)
      let left = min(Int(position), inputLength - 1)
      let share = position - Float(left)
      guard share > 0, left + 1 < inputLength else { return [(left, 1)] }
      return [(left, 1 - share), (left + 1, share)]
    }
  }

  /// Cubic interpolation (Keys, 1981) with a = −0.75 and repeated edges: `bicubic` of PyTorch's
  /// `interpolate` with `align_corners=false`, without antialiasing.
  init(cubicFrom inputLength: Int, to outputLength: Int) {
    precondition(
      inputLength > 0 && outputLength > 0, "an axis of \(inputLength) resized to \(outputLength)")
    self.inputLength = inputLength
    let (scale, a) = (Float(inputLength) / Float(outputLength), Float(-0.75))
    taps = (0..<outputLength).map { index in
      let position = (Float(index) + 0.5) * scale - 0.5
      let left = position.rounded(.down)
      return (-1...2).map { step in
        let x = abs(position - left - Float(step))
        let weight =
          x <= 1
          ? ((a + 2) * x - (a + 3)) * x * x + 1
          : (((x - 5) * x + 8) * x - 4) * a
        return (min(max(Int(left) + step, 0), inputLength - 1), weight)
      }
    }
  }

  private init(inputLength: Int, taps: [[(source: Int, weight: Float)]]) {
    self.inputLength = inputLength
    self.taps = taps
  }

  /// The same weights from outputs to inputs: what the gradient needs.
  var transposed: AxisWeights {
    var turned = [[(source: Int, weight: Float)]](repeating: [], count: inputLength)
    for (output, entries) in taps.enumerated() {
      for entry in entries { turned[entry.source].append((output, entry.weight)) }
    }
    return AxisWeights(inputLength: taps.count, taps: turned)
  }
}

/// `[batch, height, width, channels]` → `[batch, rows, columns, channels]`: each output pixel is the
/// weighted sum of the pixels that both axes name.
func interpolate(_ x: Tensor, rows: AxisWeights, columns: AxisWeights) -> Tensor {
  let (batch, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
  precondition(
    rows.inputLength == height && columns.inputLength == width,
    "weights for \(rows.inputLength)x\(columns.inputLength) on \(x.shape)")
  let (outHeight, outWidth) = (rows.taps.count, columns.taps.count)
  let y = x.workspace.tensor([batch, outHeight, outWidth, channels])
  x.workspace.parallel(batch * outHeight) { row in
    let image = row / outHeight
    // Safe: every tap lies inside its axis, and each task writes one row of `y`. The first pass
    // sums whole rows, the second pixels of that sum.
    let blended = x.workspace.tensor([width, channels])
    unsafe blended.pointer.update(repeating: 0, count: blended.count)
    for (source, weight) in rows.taps[row % outHeight] {
      unsafe addScaled(
        x.pointer + (image * height + source) * width * channels, weight, width * channels,
        blended.pointer)
    }
    let target = unsafe y.pointer + row * outWidth * channels
    unsafe target.update(repeating: 0, count: outWidth * channels)
    for column in 0..<outWidth {
      for (source, weight) in columns.taps[column] {
        unsafe addScaled(
          blended.pointer + source * channels, weight, channels, target + column * channels)
      }
    }
  }
  return y
}

/// `y += a · x` for `count` values.
@inline(__always)
func addScaled(
  _ x: UnsafePointer<Float>, _ a: Float, _ count: Int, _ y: UnsafeMutablePointer<Float>
) {
  // Safe: callers pass pointers to `count` values.
  for index in 0..<count { unsafe y[index] += a * x[index] }
}
