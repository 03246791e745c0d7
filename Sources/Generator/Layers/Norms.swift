/// Group normalisation with an affine map, and SiLU behind it where asked for.
package struct GroupNorm: Sendable {
  private let weight: Tensor
  private let bias: Tensor
  private let groups: Int
  private let epsilon: Float

  /// Reads `weight` and `bias` `[channels]`.
  package init(_ weights: WeightScope, channels: Int, groups: Int, epsilon: Float) {
    weight = weights.tensor("weight", [channels])
    bias = weights.tensor("bias", [channels])
    self.groups = groups
    self.epsilon = epsilon
  }

  /// `[batch, height, width, channels]`, same shape.
  package func callAsFunction(_ x: Tensor, silu: Bool = false) -> Tensor {
    groupNorm(x, weight: weight, bias: bias, groups: groups, epsilon: epsilon, silu: silu)
  }
}

/// Layer normalisation with an affine map.
package struct LayerNorm: Sendable {
  private let weight: Tensor
  private let bias: Tensor
  private let epsilon: Float

  /// Reads `weight` and `bias` `[channels]`.
  package init(_ weights: WeightScope, channels: Int, epsilon: Float = 1e-5) {
    weight = weights.tensor("weight", [channels])
    bias = weights.tensor("bias", [channels])
    self.epsilon = epsilon
  }

  /// `[…, channels]`, same shape.
  package func callAsFunction(_ x: Tensor) -> Tensor {
    layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
  }
}
