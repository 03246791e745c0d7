import Foundation

/// Sums over the pixels of one mask that its losses are made of.
struct MaskLossSums: Sendable {
  /// Binary cross-entropy with logits.
  var crossEntropy = 0.0
  /// Pixels that count.
  var weight = 0.0
  /// Σ p·t of probability and target.
  var product = 0.0
  /// Σ p² + t².
  var squares = 0.0
}

/// Adds up one mask's loss terms.
///
/// - Parameters:
///   - logits: a row of logits.
///   - targets: 0 or 1 for each pixel.
///   - weights: 0 where a pixel does not count, else 1.
func maskLossSums(_ logits: Matrix, _ targets: Matrix, _ weights: Matrix) -> MaskLossSums {
  var sums = MaskLossSums()
  // Safe: matrices of one row of the same length, checked against their tensors.
  let logits = unsafe logits.tensor.pointer + logits.offset
  for index in 0..<targets.columns {
    let weight = unsafe Double(weights.tensor.pointer[weights.offset + index])
    guard weight > 0 else { continue }
    let (x, t) = unsafe (
      Double(logits[index]), Double(targets.tensor.pointer[targets.offset + index])
    )
    // log(1 + eˣ) without overflow.
    sums.crossEntropy += weight * (max(x, 0) - x * t + log1p(exp(-abs(x))))
    let p = 1 / (1 + exp(-x))
    sums.weight += weight
    sums.product += weight * p * t
    sums.squares += weight * (p * p + t * t)
  }
  return sums
}

/// Writes the gradient `a · (p − t) + p·(1−p)·(b·t + c·p)` of a row of logits, 0 where a pixel does
/// not count: every loss of ``maskLossSums(_:_:_:)`` has this form.
func maskLossGradient(
  _ logits: Matrix, _ targets: Matrix, _ weights: Matrix, a: Double, b: Double, c: Double,
  into gradient: Matrix
) {
  // Safe: as in `maskLossSums`.
  let logits = unsafe logits.tensor.pointer + logits.offset
  for index in 0..<targets.columns {
    let weight = unsafe Double(weights.tensor.pointer[weights.offset + index])
    let t = unsafe Double(targets.tensor.pointer[targets.offset + index])
    let p = 1 / (1 + exp(-Double(unsafe logits[index])))
    unsafe gradient.tensor.pointer[gradient.offset + index] =
      Float(weight * (a * (p - t) + p * (1 - p) * (b * t + c * p)))
  }
}
