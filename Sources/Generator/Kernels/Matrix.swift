private import COpenBLAS

/// Rows or columns of a product that one task takes; fixed, so that results do not depend on the
/// number of threads.
private let blockLength = 128

/// Part of a tensor, seen as a matrix of `rows` rows that lie `stride` values apart.
struct Matrix: Sendable {
  let tensor: Tensor
  let rows: Int
  let columns: Int
  let stride: Int
  let offset: Int

  /// The whole of a tensor; all axes but the last are rows.
  init(_ tensor: Tensor) {
    let columns = tensor.shape.last ?? 1
    self.init(tensor, rows: tensor.count / max(columns, 1), columns: columns, stride: columns)
  }

  /// A part of a tensor.
  init(_ tensor: Tensor, rows: Int, columns: Int, stride: Int, offset: Int = 0) {
    precondition(
      offset >= 0 && columns <= stride
        && (rows == 0 || offset + (rows - 1) * stride + columns <= tensor.count),
      "a matrix of \(rows) by \(columns), stride \(stride), at \(offset) of \(tensor.shape)")
    self.tensor = tensor
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.offset = offset
  }

  /// Some of the rows.
  func rows(_ range: Range<Int>) -> Matrix {
    Matrix(
      tensor, rows: range.count, columns: columns, stride: stride,
      offset: offset + range.lowerBound * stride)
  }

  /// Some of the columns.
  func columns(_ range: Range<Int>) -> Matrix {
    Matrix(
      tensor, rows: rows, columns: range.count, stride: stride, offset: offset + range.lowerBound)
  }
}

/// A matrix in a product, as it is or transposed.
enum Factor: Sendable {
  case plain(Matrix)
  case transposed(Matrix)

  fileprivate var matrix: Matrix {
    switch self {
    case .plain(let matrix), .transposed(let matrix): matrix
    }
  }

  fileprivate var isTransposed: Bool {
    if case .transposed = self { true } else { false }
  }

  fileprivate var rows: Int { isTransposed ? matrix.columns : matrix.rows }
  fileprivate var columns: Int { isTransposed ? matrix.rows : matrix.columns }

  fileprivate func rows(_ range: Range<Int>) -> Factor {
    isTransposed ? .transposed(matrix.columns(range)) : .plain(matrix.rows(range))
  }

  fileprivate func columns(_ range: Range<Int>) -> Factor {
    isTransposed ? .transposed(matrix.rows(range)) : .plain(matrix.columns(range))
  }
}

/// Computes `c = scale · a·b`, or adds it to `c`, in place.
///
/// OpenBLAS `sgemm` on one thread per block of rows, or of columns where rows are few.
func multiply(_ a: Factor, _ b: Factor, into c: Matrix, adding: Bool = false, scale: Float = 1) {
  precondition(
    a.rows == c.rows && b.columns == c.columns && a.columns == b.rows,
    "product of \(a.rows)x\(a.columns) and \(b.rows)x\(b.columns) into \(c.rows)x\(c.columns)")
  guard c.rows > 0, c.columns > 0 else { return }
  let splitsRows = c.rows >= c.columns
  let length = splitsRows ? c.rows : c.columns
  c.tensor.workspace.parallel(length, grain: blockLength) { range in
    if splitsRows {
      product(a.rows(range), b, into: c.rows(range), adding: adding, scale: scale)
    } else {
      product(a, b.columns(range), into: c.columns(range), adding: adding, scale: scale)
    }
  }
}

private func product(_ a: Factor, _ b: Factor, into c: Matrix, adding: Bool, scale: Float) {
  // Safe: every matrix was checked against its tensor when it was made, and tasks write disjoint
  // parts of `c`.
  withExtendedLifetime((a, b, c)) {
    unsafe cblas_sgemm(
      CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans,
      b.isTransposed ? CblasTrans : CblasNoTrans, Int32(c.rows), Int32(c.columns),
      Int32(a.columns), scale, a.matrix.tensor.pointer + a.matrix.offset, Int32(a.matrix.stride),
      b.matrix.tensor.pointer + b.matrix.offset, Int32(b.matrix.stride), adding ? 1 : 0,
      c.tensor.pointer + c.offset, Int32(c.stride))
  }
}
