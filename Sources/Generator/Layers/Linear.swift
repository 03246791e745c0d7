/// An affine map of the last axis, `y = x·Wᵀ + b`.
package struct Linear: Sendable {
  private let weight: Weight
  private let bias: Tensor?

  /// Reads `weight` `[outputs, inputs]` (a 1x1 convolution is the same) and `bias` `[outputs]`.
  package init(_ weights: WeightScope, inputs: Int, outputs: Int, hasBias: Bool = true) {
    let read = weights.weight("weight", [outputs, inputs], [outputs, inputs, 1, 1])
    weight = read.isMissing ? read : read.reshaped([outputs, inputs])
    bias = hasBias ? weights.tensor("bias", [outputs]) : nil
  }

  /// `[…, inputs]` → `[…, outputs]`, plus `residual` of that shape if given.
  package func callAsFunction(_ x: Tensor, residual: Tensor? = nil) -> Tensor {
    linear(x, weight, bias: bias, residual: residual)
  }
}
