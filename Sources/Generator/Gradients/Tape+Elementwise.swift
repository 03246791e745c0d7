extension Tape {
  /// `x + y`.
  package func add(_ x: Variable, _ y: Variable) -> Variable {
    let (first, second) = (x.node, y.node)
    return record(combine(1, x.value, 1, y.value)) { dy in
      first?.add(dy)
      second?.add(dy)
    }
  }

  /// `max(x, 0)`.
  package func relu(_ x: Variable) -> Variable {
    let y = activate(x.value, .relu)
    let node = x.node
    return record(y) { dy in node?.add(reluGradient(y, dy)) }
  }

  /// The same values under another shape.
  package func reshape(_ x: Variable, _ shape: [Int]) -> Variable {
    let (node, old) = (x.node, x.shape)
    return record(x.value.reshaped(shape)) { dy in node?.add(dy.reshaped(old)) }
  }

  /// Joins the channels of two tensors.
  package func join(_ x: Variable, _ y: Variable) -> Variable {
    let (first, second) = (x.node, y.node)
    let width = x.shape[x.shape.count - 1]
    return record(joinChannels(x.value, y.value)) { dy in
      first?.add(channels(dy, 0..<width))
      second?.add(channels(dy, width..<dy.shape[dy.shape.count - 1]))
    }
  }

  /// Resizes `[batch, height, width, channels]` by linear interpolation (`align_corners=false`).
  package func resize(_ x: Variable, height: Int, width: Int) -> Variable {
    guard x.shape[1] != height || x.shape[2] != width else { return x }
    let rows = AxisWeights(linearFrom: x.shape[1], to: height)
    let columns = AxisWeights(linearFrom: x.shape[2], to: width)
    let node = x.node
    return record(interpolate(x.value, rows: rows, columns: columns)) { dy in
      guard let node else { return }
      node.add(interpolate(dy, rows: rows.transposed, columns: columns.transposed))
    }
  }

  /// Squares of `side` pixels as rows, see ``patches(_:side:)``.
  package func unfold(_ x: Variable, side: Int) -> Variable {
    let (node, shape) = (x.node, x.shape)
    return record(patches(x.value, side: side)) { dy in
      node?.add(patchesGradient(dy, shape: shape, side: side))
    }
  }

  /// Spreads channels over finer pixels, see ``spreadPixels(_:side:)``.
  package func spread(_ x: Variable, side: Int) -> Variable {
    guard side > 1 else { return x }
    let node = x.node
    return record(spreadPixels(x.value, side: side)) { dy in
      node?.add(gatherPixels(dy, side: side))
    }
  }
}
