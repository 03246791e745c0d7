/// Squares of `side` pixels of `[batch, height, width, channels]`, as rows.
///
/// The result is `[batch * (height / side) * (width / side), channels * side * side]`, each row
/// channel by channel, then row, then column, as PyTorch's `unfold` orders them. Rows and columns
/// that fill no square are left out, as there.
func patches(_ x: Tensor, side: Int) -> Tensor {
  let layout = PatchLayout(x.shape, side: side)
  let y = x.workspace.tensor([layout.count, layout.channels * side * side])
  x.workspace.parallel(layout.count, grain: 4) { range in
    // Safe: the layout covers both tensors exactly.
    for patch in range {
      let target = unsafe y.pointer + patch * layout.channels * side * side
      for place in 0..<side * side {
        let source = unsafe x.pointer + layout.pixel(patch, place) * layout.channels
        for channel in 0..<layout.channels {
          unsafe target[channel * side * side + place] = source[channel]
        }
      }
    }
  }
  return y
}

/// The gradient of ``patches(_:side:)`` for an input of shape `shape`.
func patchesGradient(_ dy: Tensor, shape: [Int], side: Int) -> Tensor {
  let layout = PatchLayout(shape, side: side)
  precondition(dy.count == layout.count * layout.channels * side * side, "\(dy.shape) of \(shape)")
  let dx = zeros(dy.workspace.tensor(shape))
  dy.workspace.parallel(layout.count, grain: 4) { range in
    // Safe: the layout covers both tensors, and patches do not overlap.
    for patch in range {
      let source = unsafe dy.pointer + patch * layout.channels * side * side
      for place in 0..<side * side {
        let target = unsafe dx.pointer + layout.pixel(patch, place) * layout.channels
        for channel in 0..<layout.channels {
          unsafe target[channel] = source[channel * side * side + place]
        }
      }
    }
  }
  return dx
}

private struct PatchLayout: Sendable {
  let height: Int
  let width: Int
  let channels: Int
  let side: Int
  let rows: Int
  let columns: Int
  let count: Int

  init(_ shape: [Int], side: Int) {
    (height, width, channels) = (shape[1], shape[2], shape[3])
    self.side = side
    (rows, columns) = (height / side, width / side)
    count = shape[0] * rows * columns
  }

  func pixel(_ patch: Int, _ place: Int) -> Int {
    let (image, cell) = (patch / (rows * columns), patch % (rows * columns))
    let row = cell / columns * side + place / side
    return (image * height + row) * width + cell % columns * side + place % side
  }
}

/// Spreads the channels of a pixel over `side` by `side` finer ones: `[batch, height, width,
/// side * side * channels]` → `[batch, height * side, width * side, channels]`.
func spreadPixels(_ x: Tensor, side: Int) -> Tensor {
  let (batch, height, width) = (x.shape[0], x.shape[1], x.shape[2])
  let channels = x.shape[3] / (side * side)
  let y = x.workspace.tensor([batch, height * side, width * side, channels])
  moveSpreadPixels(x, y, side: side, isGathering: false)
  return y
}

/// The inverse of ``spreadPixels(_:side:)``, which is its gradient.
func gatherPixels(_ y: Tensor, side: Int) -> Tensor {
  let (batch, height, width, channels) = (y.shape[0], y.shape[1], y.shape[2], y.shape[3])
  let x = y.workspace.tensor([batch, height / side, width / side, channels * side * side])
  moveSpreadPixels(x, y, side: side, isGathering: true)
  return x
}

private func moveSpreadPixels(_ x: Tensor, _ y: Tensor, side: Int, isGathering: Bool) {
  let (rows, width, channels) = (x.shape[0] * x.shape[1], x.shape[2], y.shape[3])
  x.workspace.parallel(rows) { row in
    for column in 0..<width {
      for place in 0..<side * side {
        // Safe: both tensors hold the same values in another order.
        let coarse =
          unsafe x.pointer + ((row * width + column) * side * side + place) * channels
        let fine =
          unsafe y.pointer
          + ((row * side + place / side) * width * side + column * side + place % side) * channels
        if isGathering {
          unsafe coarse.update(from: fine, count: channels)
        } else {
          unsafe fine.update(from: coarse, count: channels)
        }
      }
    }
  }
}

/// Columns `range` of the last axis, copied.
func channels(_ x: Tensor, _ range: Range<Int>) -> Tensor {
  let width = x.shape[x.shape.count - 1]
  precondition(range.upperBound <= width, "channels \(range) of \(x.shape)")
  let y = x.workspace.tensor(x.shape.dropLast() + [range.count])
  x.workspace.parallel(x.count / width, grain: 256) { rows in
    // Safe: rows lie inside both tensors.
    for row in rows {
      unsafe (y.pointer + row * range.count)
        .update(from: x.pointer + row * width + range.lowerBound, count: range.count)
    }
  }
  return y
}
