import Foundation

/// Which query rows attend to which key rows: one entry for each picture of a batch, so that a batch
/// may hold pictures with different numbers of queries, and no picture sees another's.
package struct AttentionSegment: Sendable, Equatable {
  /// Rows of the queries.
  package let queries: Range<Int>
  /// Rows of keys and values.
  package let keys: Range<Int>

  /// Creates a segment.
  package init(queries: Range<Int>, keys: Range<Int>) {
    self.queries = queries
    self.keys = keys
  }
}

/// What attention's gradient needs of its evaluation: the probabilities of each segment and head,
/// `[heads, queries, keys]`.
struct SegmentProbabilities: Sendable {
  fileprivate let values: [Tensor]
}

/// Multi-head attention of `query` `[rows, heads * depth]` to `key` and `value` of that width, within
/// segments.
///
/// Score matrices are held whole: queries are few here, one for each category.
func segmentAttention(
  _ query: Tensor, _ key: Tensor, _ value: Tensor, heads: Int, segments: [AttentionSegment]
) -> (result: Tensor, probabilities: SegmentProbabilities) {
  let width = query.shape[1]
  precondition(
    key.shape[1] == width && value.shape == key.shape && width % heads == 0,
    "attention of \(query.shape), \(key.shape), \(value.shape) with \(heads) heads")
  let scale = 1 / (Float(width) / Float(heads)).squareRoot()
  let result = query.like()
  var kept: [Tensor] = []
  for segment in segments {
    let (queries, keys) = (segment.queries.count, segment.keys.count)
    let probabilities = query.workspace.tensor([heads, queries, keys])
    for head in 0..<heads {
      let place = HeadPlace(segment: segment, head: head, depth: width / heads, keys: keys)
      let scores = place.scores(probabilities)
      multiply(
        .plain(place.queries(query)), .transposed(place.keys(key)), into: scores, scale: scale)
      softmaxRows(scores)
      multiply(.plain(scores), .plain(place.keys(value)), into: place.queries(result))
    }
    kept.append(probabilities)
  }
  return (result, SegmentProbabilities(values: kept))
}

/// The gradients of query, key and value; rows outside every segment get 0.
func segmentAttentionGradient(
  _ query: Tensor, _ key: Tensor, _ value: Tensor, heads: Int, segments: [AttentionSegment],
  _ probabilities: SegmentProbabilities, _ dy: Tensor
) -> (query: Tensor, key: Tensor, value: Tensor) {
  let width = query.shape[1]
  let scale = 1 / (Float(width) / Float(heads)).squareRoot()
  let (dQuery, dKey, dValue) = (zeros(query), zeros(key), zeros(value))
  for (segment, probability) in zip(segments, probabilities.values) {
    let (queries, keys) = (segment.queries.count, segment.keys.count)
    let dScores = query.workspace.tensor([queries, keys])
    for head in 0..<heads {
      let place = HeadPlace(segment: segment, head: head, depth: width / heads, keys: keys)
      let scores = place.scores(probability)
      multiply(
        .transposed(scores), .plain(place.queries(dy)), into: place.keys(dValue), adding: true)
      multiply(
        .plain(place.queries(dy)), .transposed(place.keys(value)), into: Matrix(dScores))
      softmaxGradientRows(scores, Matrix(dScores))
      multiply(
        .plain(Matrix(dScores)), .plain(place.keys(key)), into: place.queries(dQuery),
        adding: true, scale: scale)
      multiply(
        .transposed(Matrix(dScores)), .plain(place.queries(query)), into: place.keys(dKey),
        adding: true, scale: scale)
    }
  }
  return (dQuery, dKey, dValue)
}

/// A tensor of zeros of the shape of another.
func zeros(_ x: Tensor) -> Tensor {
  let result = x.like()
  // Safe: the buffer holds `count` values.
  unsafe result.pointer.update(repeating: 0, count: result.count)
  return result
}

/// Where one head of one segment lies.
private struct HeadPlace {
  let segment: AttentionSegment
  let head: Int
  let depth: Int
  let keys: Int

  func queries(_ x: Tensor) -> Matrix {
    Matrix(x).rows(segment.queries).columns(head * depth..<(head + 1) * depth)
  }

  func keys(_ x: Tensor) -> Matrix {
    Matrix(x).rows(segment.keys).columns(head * depth..<(head + 1) * depth)
  }

  func scores(_ x: Tensor) -> Matrix {
    Matrix(
      x, rows: segment.queries.count, columns: keys, stride: keys,
      offset: head * segment.queries.count * keys)
  }
}

private func softmaxRows(_ x: Matrix) {
  for row in 0..<x.rows {
    // Safe: the matrix was checked against its tensor.
    let values = unsafe x.tensor.pointer + x.offset + row * x.stride
    var top = -Float.infinity
    for index in 0..<x.columns { top = max(top, unsafe values[index]) }
    var sum: Float = 0
    for index in 0..<x.columns {
      let value = exp(unsafe values[index] - top)
      unsafe values[index] = value
      sum += value
    }
    for index in 0..<x.columns { unsafe values[index] /= sum }
  }
}

/// `dx = y · (dx − Σ y·dx)` per row, in place.
private func softmaxGradientRows(_ y: Matrix, _ dx: Matrix) {
  for row in 0..<y.rows {
    // Safe: both matrices were checked against their tensors and have one size.
    let values = unsafe y.tensor.pointer + y.offset + row * y.stride
    let gradients = unsafe dx.tensor.pointer + dx.offset + row * dx.stride
    var sum: Float = 0
    for index in 0..<y.columns { sum += unsafe values[index] * gradients[index] }
    for index in 0..<y.columns {
      unsafe gradients[index] = values[index] * (gradients[index] - sum)
    }
  }
}
