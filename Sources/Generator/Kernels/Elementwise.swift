private import CKernels

/// Values that one task of an elementwise kernel takes.
private let valueGrain = 1 << 15

/// Functions applied to single values.
package enum Activation: Sendable {
  /// `x · sigmoid(x)`.
  case silu
  /// `x · sigmoid(1.702 x)`, CLIP's.
  case quickGELU
  /// `x · Φ(x)` by the error function (Hendrycks and Gimpel, 2016).
  case gelu
  /// `max(x, 0)`.
  case relu

  fileprivate var code: Int32 {
    switch self {
    case .silu: Int32(GW_SILU)
    case .quickGELU: Int32(GW_QUICK_GELU)
    case .gelu: Int32(GW_GELU)
    case .relu: Int32(GW_RELU)
    }
  }
}

/// Applies an activation to every value.
func activate(_ x: Tensor, _ activation: Activation) -> Tensor {
  let y = x.like()
  x.workspace.parallel(x.count, grain: valueGrain) { range in
    // Safe: the range lies inside both tensors.
    unsafe gw_activate(
      x.pointer + range.lowerBound, range.count, activation.code, y.pointer + range.lowerBound)
  }
  return y
}

/// `[…, 2 * width]` → `[…, width]`: the first half times GELU of the second (Shazeer, "GLU Variants
/// Improve Transformer", 2020).
func geglu(_ x: Tensor) -> Tensor {
  let width = (x.shape.last ?? 0) / 2
  let y = x.workspace.tensor(x.shape.dropLast() + [width])
  x.workspace.parallel(y.count / width, grain: 32) { rows in
    // Safe: rows lie inside both tensors.
    unsafe gw_geglu(
      x.pointer + rows.lowerBound * 2 * width, rows.count, width,
      y.pointer + rows.lowerBound * width)
  }
  return y
}

/// `y += x`, in place.
func add(_ x: Tensor, to y: Tensor) {
  precondition(x.count == y.count, "\(x.shape) added to \(y.shape)")
  x.workspace.parallel(x.count, grain: valueGrain) { range in
    // Safe: the range lies inside both tensors.
    unsafe SwiftKernels.add(x.pointer + range.lowerBound, range.count, y.pointer + range.lowerBound)
  }
}

/// `a · x + b · y`.
func combine(_ a: Float, _ x: Tensor, _ b: Float, _ y: Tensor) -> Tensor {
  precondition(x.count == y.count, "\(x.shape) combined with \(y.shape)")
  let result = y.copy()
  // Safe: both hold `count` values.
  unsafe SwiftKernels.combine(x.pointer, x.count, a, b, result.pointer)
  return result
}

/// Adds row `i` of `rows` `[batch, channels]` to every pixel of picture `i`, in place.
func addRows(_ rows: Tensor, to x: Tensor) {
  let (batch, channels) = (x.shape[0], x.shape[x.shape.count - 1])
  precondition(rows.shape == [batch, channels], "\(rows.shape) added to \(x.shape)")
  let pixels = x.count / (batch * channels)
  let grain = 64
  let pieces = (pixels + grain - 1) / grain
  x.workspace.parallel(batch * pieces) { task in
    let first = task % pieces * grain
    // Safe: the piece lies inside picture `task / pieces`.
    let at = unsafe x.pointer + (task / pieces * pixels + first) * channels
    for pixel in 0..<min(grain, pixels - first) {
      unsafe SwiftKernels.add(
        rows.pointer + task / pieces * channels, channels, at + pixel * channels)
    }
  }
}

/// Joins `[…, a]` and `[…, b]` to `[…, a + b]`.
func joinChannels(_ x: Tensor, _ y: Tensor) -> Tensor {
  let (a, b) = (x.shape[x.shape.count - 1], y.shape[y.shape.count - 1])
  precondition(x.shape.dropLast() == y.shape.dropLast(), "\(x.shape) joined with \(y.shape)")
  let result = x.workspace.tensor(x.shape.dropLast() + [a + b])
  x.workspace.parallel(x.count / a, grain: 128) { rows in
    // Safe: rows lie inside all three tensors.
    for row in rows {
      let target = unsafe result.pointer + row * (a + b)
      unsafe target.update(from: x.pointer + row * a, count: a)
      unsafe (target + a).update(from: y.pointer + row * b, count: b)
    }
  }
  return result
}

/// Enlarges `[batch, h, w, channels]` to `[batch, height, width, channels]` by repeating pixels:
/// output pixel `i` of `n` is input pixel `floor(i * m / n)` of `m`.
func upsampleNearest(_ x: Tensor, height: Int, width: Int) -> Tensor {
  let (batch, oldHeight, oldWidth, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
  let y = x.workspace.tensor([batch, height, width, channels])
  x.workspace.parallel(batch * height) { row in
    let oldRow = row / height * oldHeight + row % height * oldHeight / height
    // Safe: both rows and all columns lie inside their tensors.
    for column in 0..<width {
      let source = unsafe x.pointer + (oldRow * oldWidth + column * oldWidth / width) * channels
      unsafe (y.pointer + (row * width + column) * channels)
        .update(from: source, count: channels)
    }
  }
  return y
}

extension Tensor {
  /// `[batch, channels, height, width]` → `[batch, height, width, channels]`.
  package func channelsLast() -> Tensor {
    transposed(rows: shape[1], columns: shape[2] * shape[3])
      .reshaped([shape[0], shape[2], shape[3], shape[1]])
  }

  /// `[batch, height, width, channels]` → `[batch, channels, height, width]`.
  package func channelsFirst() -> Tensor {
    transposed(rows: shape[1] * shape[2], columns: shape[3])
      .reshaped([shape[0], shape[3], shape[1], shape[2]])
  }

  /// Transposes the `[rows, columns]` matrix of every element of the outermost axis.
  private func transposed(rows: Int, columns: Int) -> Tensor {
    let result = workspace.tensor([shape[0], columns, rows])
    workspace.parallel(shape[0] * rows, grain: 64) { range in
      for index in range {
        let (element, row) = (index / rows, index % rows)
        // Safe: both hold `shape[0] * rows * columns` values.
        let source = unsafe pointer + index * columns
        let target = unsafe result.pointer + element * rows * columns + row
        for column in 0..<columns { unsafe target[column * rows] = source[column] }
      }
    }
    return result
  }
}
