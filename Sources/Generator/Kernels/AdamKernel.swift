/// Numbers of one Adam update.
struct AdamCoefficients: Sendable {
  let beta1: Float
  let beta2: Float
  /// Learning rate over `1 − β₁ᵗ`.
  let stepSize: Float
  /// √(1 − β₂ᵗ).
  let secondCorrection: Float
  let epsilon: Float
  /// The gradient is multiplied by this first: what clipping leaves of it.
  let gradientScale: Float
}

/// One update of Adam (Kingma and Ba, 2015, algorithm 1), in place, as PyTorch orders its operations.
func adamUpdate(
  _ value: Tensor, _ gradient: Tensor, first: Tensor, second: Tensor, _ numbers: AdamCoefficients
) {
  precondition(
    [gradient, first, second].allSatisfy { $0.count == value.count },
    "Adam of \(value.shape), \(gradient.shape), \(first.shape), \(second.shape)")
  value.workspace.parallel(value.count, grain: 1 << 15) { range in
    // Safe: the range lies inside all four tensors.
    let (value, gradient) = unsafe (value.pointer, gradient.pointer)
    let (first, second) = unsafe (first.pointer, second.pointer)
    for index in range {
      let g = unsafe gradient[index] * numbers.gradientScale
      let m = unsafe first[index] + (1 - numbers.beta1) * (g - first[index])
      let v = unsafe numbers.beta2 * second[index] + (1 - numbers.beta2) * g * g
      unsafe first[index] = m
      unsafe second[index] = v
      let denominator = v.squareRoot() / numbers.secondCorrection + numbers.epsilon
      unsafe value[index] -= numbers.stepSize * m / denominator
    }
  }
}

/// The sum of squares, in double precision; infinite or not a number where a value is.
func sumOfSquares(_ x: Tensor) -> Double {
  let grain = 1 << 14
  let pieces = (x.count + grain - 1) / grain
  let partial = PartialSums(count: pieces)
  x.workspace.parallel(pieces) { piece in
    var sum = 0.0
    for index in piece * grain..<min(x.count, (piece + 1) * grain) {
      // Safe: the piece lies inside the tensor.
      let value = Double(unsafe x.pointer[index])
      sum += value * value
    }
    partial.set(piece, [sum])
  }
  return partial.total(1)[0]
}
