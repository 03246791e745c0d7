private import COpenBLAS

/// Rows that one task of a product takes when there are many.
private let rowGrain = 256
/// Outputs whose half-precision weights are widened at once.
private let widenedOutputs = 128

/// Computes `y = x·wᵀ + bias (+ residual)`, the product every linear layer is made of.
///
/// - Parameters:
///   - x: `[…, inputs]`; all axes but the last are rows.
///   - w: `[outputs, inputs]` (or `[outputs, inputs, 1, 1]`), of any stored element type.
///   - bias: `[outputs]`, if there is one.
///   - residual: `[…, outputs]`, added to the result.
/// - Returns: `[…, outputs]`.
///
/// OpenBLAS `sgemm` on one thread per block of rows, or of outputs where rows are few.
func linear(_ x: Tensor, _ w: Weight, bias: Tensor?, residual: Tensor? = nil) -> Tensor {
  let (inputs, outputs) = (w.shape[1], w.shape[0])
  precondition(x.shape.last == inputs, "linear of \(x.shape) by \(w.shape)")
  let rows = x.count / inputs
  let y = x.workspace.tensor(x.shape.dropLast() + [outputs])
  precondition(residual == nil || residual?.count == y.count, "residual \(residual?.shape ?? [])")
  let isNarrow = w.kind != .float32
  // Few rows, or weights to be widened: split the outputs, so that nothing is done twice.
  let outputGrain =
    isNarrow
    ? widenedOutputs
    : rows < 2 * rowGrain ? max(32, (outputs / x.workspace.threadCount + 31) / 32 * 32) : outputs
  let rowStep = isNarrow || rows < 2 * rowGrain ? rows : rowGrain
  let columns = (outputs + outputGrain - 1) / outputGrain
  let blocks = (rows + rowStep - 1) / rowStep
  x.workspace.parallel(columns * blocks) { task in
    let outputRange =
      task % columns * outputGrain..<min(outputs, (task % columns + 1) * outputGrain)
    let rowRange = task / columns * rowStep..<min(rows, (task / columns + 1) * rowStep)
    // Safe: the ranges lie inside the shapes checked above; tasks write disjoint parts of y.
    seed(y, rowRange, outputRange, bias: bias, residual: residual)
    unsafe w.withFloats(rows: outputRange, workspace: x.workspace) { w in
      unsafe cblas_sgemm(
        CblasRowMajor, CblasNoTrans, CblasTrans, Int32(rowRange.count),
        Int32(outputRange.count), Int32(inputs), 1, x.pointer + rowRange.lowerBound * inputs,
        Int32(inputs), w, Int32(inputs), bias == nil && residual == nil ? 0 : 1,
        y.pointer + rowRange.lowerBound * outputs + outputRange.lowerBound, Int32(outputs))
    }
  }
  return y
}

/// Fills part of `y` with what the product is added to.
private func seed(
  _ y: Tensor, _ rows: Range<Int>, _ columns: Range<Int>, bias: Tensor?, residual: Tensor?
) {
  guard bias != nil || residual != nil, let width = y.shape.last else { return }
  for row in rows {
    let start = row * width + columns.lowerBound
    // Safe: `columns` and `rows` are inside `y`, and bias and residual have its sizes.
    if let residual {
      unsafe (y.pointer + start).update(from: residual.pointer + start, count: columns.count)
      if let bias {
        unsafe SwiftKernels.add(bias.pointer + columns.lowerBound, columns.count, y.pointer + start)
      }
    } else if let bias {
      unsafe (y.pointer + start)
        .update(from: bias.pointer + columns.lowerBound, count: columns.count)
    }
  }
}
