import Foundation

/// Sets every value to 0, in place.
func fillWithZeros(_ x: Tensor) {
  // Safe: the buffer holds `count` values.
  unsafe x.pointer.update(repeating: 0, count: x.count)
}

/// A tensor of ones of the shape of another.
func ones(_ x: Tensor) -> Tensor {
  let result = x.like()
  // Safe: the buffer holds `count` values.
  unsafe result.pointer.update(repeating: 1, count: result.count)
  return result
}

/// Copies `row` into every row of `y`, in place.
func fillRows(_ y: Tensor, with row: Tensor) {
  precondition(y.shape.last == row.count, "rows of \(row.count) for \(y.shape)")
  y.workspace.parallel(y.count / row.count, grain: 256) { rows in
    for index in rows {
      // Safe: rows lie inside the tensor.
      unsafe (y.pointer + index * row.count).update(from: row.pointer, count: row.count)
    }
  }
}

/// Copies all values, in place.
func copyValues(of source: Tensor, to target: Tensor) {
  precondition(source.count == target.count, "\(source.shape) copied to \(target.shape)")
  // Safe: both hold `count` values, in different buffers.
  unsafe target.pointer.update(from: source.pointer, count: source.count)
}

/// Adds the sums of the columns of `x` to `y` `[channels]`, in place.
func addColumnSums(_ x: Tensor, to y: Tensor) {
  y.write(zip(y.values, columnSums(x)).map { $0 + Float($1) })
}

/// `y += a · x`, in place.
func addInPlace(_ a: Float, _ x: Tensor, to y: Tensor) {
  precondition(x.count == y.count, "\(x.shape) added to \(y.shape)")
  x.workspace.parallel(x.count, grain: 1 << 15) { range in
    // Safe: the range lies inside both tensors.
    unsafe addScaled(x.pointer + range.lowerBound, a, range.count, y.pointer + range.lowerBound)
  }
}

/// `y *= a`, in place.
func scaleInPlace(_ a: Float, _ y: Tensor) {
  y.workspace.parallel(y.count, grain: 1 << 15) { range in
    // Safe: the range lies inside the tensor.
    for index in range { unsafe y.pointer[index] *= a }
  }
}

/// Σ x·y over all values, in double precision.
func columnDot(_ x: Tensor, _ y: Tensor) -> Double {
  columnSums(x.reshaped([x.count, 1]), times: y.reshaped([y.count, 1]))[0]
}

/// Divides by the Euclidean norm, or by `epsilon` where that is larger, in place.
func normalize(_ x: Tensor, epsilon: Float) {
  scaleInPlace(1 / max(Float(columnDot(x, x).squareRoot()), epsilon), x)
}

/// Tensors of equal inner axes below each other, as `shape`.
func stackRows(_ parts: [Tensor], shape: [Int]) -> Tensor {
  precondition(
    parts.map(\.count).reduce(0, +) == shape.reduce(1, *) && !parts.isEmpty,
    "\(parts.map(\.shape)) stacked to \(shape)")
  let result = parts[0].workspace.tensor(shape)
  var offset = 0
  for part in parts {
    // Safe: the counts add up to the result's.
    unsafe (result.pointer + offset).update(from: part.pointer, count: part.count)
    offset += part.count
  }
  return result
}

/// `1 / (1 + e⁻ˣ)` of every value.
func sigmoid(_ x: Tensor) -> Tensor {
  x.workspace.tensor(x.values.map { 1 / (1 + exp(-$0)) }, shape: x.shape)
}
