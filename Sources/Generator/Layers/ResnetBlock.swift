/// Two convolutions with group norm and SiLU before each, around a shortcut.
///
/// `ResnetBlock2D` of diffusers with the default time scale and shift; the autoencoder has the same
/// block without a time embedding.
package struct ResnetBlock: Sendable {
  private let norm1: GroupNorm
  private let conv1: Convolution
  private let timeProjection: Linear?
  private let norm2: GroupNorm
  private let conv2: Convolution
  private let shortcut: Linear?

  /// Reads a block; `timeChannels` is nil where there is no time embedding.
  package init(
    _ weights: WeightScope, inputs: Int, outputs: Int, timeChannels: Int?, groups: Int,
    epsilon: Float
  ) {
    norm1 = GroupNorm(weights["norm1"], channels: inputs, groups: groups, epsilon: epsilon)
    conv1 = Convolution(weights["conv1"], inputs: inputs, outputs: outputs)
    timeProjection = timeChannels.map {
      Linear(weights["time_emb_proj"], inputs: $0, outputs: outputs)
    }
    norm2 = GroupNorm(weights["norm2"], channels: outputs, groups: groups, epsilon: epsilon)
    conv2 = Convolution(weights["conv2"], inputs: outputs, outputs: outputs)
    shortcut =
      inputs == outputs
      ? nil : Linear(weights["conv_shortcut"], inputs: inputs, outputs: outputs)
  }

  /// `[batch, height, width, inputs]` → `[batch, height, width, outputs]`; `time` is SiLU of the
  /// time embedding, `[batch, timeChannels]`.
  package func callAsFunction(_ x: Tensor, time: Tensor? = nil) -> Tensor {
    var hidden = conv1(norm1(x, silu: true))
    if let timeProjection, let time { addRows(timeProjection(time), to: hidden) }
    hidden = conv2(norm2(hidden, silu: true))
    if let shortcut { return shortcut(x, residual: hidden) }
    add(x, to: hidden)
    return hidden
  }
}
