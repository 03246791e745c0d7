import Foundation

/// Sines and cosines of `position` at `dimension / 2` geometrically spaced frequencies.
///
/// Vaswani et al. 2017, in the order of `Timesteps` of diffusers: cosines first if `cosineFirst`.
func sinusoidalEmbedding(
  _ position: Float, dimension: Int, cosineFirst: Bool, frequencyShift: Float
) -> [Float] {
  let half = dimension / 2
  let angles = (0..<half).map { index in
    let exponent = -Float(log(10000.0)) * Float(index) / (Float(half) - frequencyShift)
    return position * exp(exponent)
  }
  let (sines, cosines) = (angles.map { sin($0) }, angles.map { cos($0) })
  let values = cosineFirst ? cosines + sines : sines + cosines
  return values + [Float](repeating: 0, count: dimension - 2 * half)
}

/// The time embedding of a U-Net: sinusoids through two linear layers.
package struct TimestepEmbedding: Sendable {
  private let linear1: Linear
  private let linear2: Linear
  private let conditionProjection: Linear?
  private let dimension: Int
  private let cosineFirst: Bool
  private let frequencyShift: Float
  /// Channels of the guidance embedding of a latent consistency model, if the network has one.
  package let conditionChannels: Int?

  /// Reads `linear_1`, `linear_2` and, for a guidance embedding, `cond_proj`.
  package init(
    _ weights: WeightScope, dimension: Int, channels: Int, cosineFirst: Bool,
    frequencyShift: Float, conditionChannels: Int?
  ) {
    linear1 = Linear(weights["linear_1"], inputs: dimension, outputs: channels)
    linear2 = Linear(weights["linear_2"], inputs: channels, outputs: channels)
    conditionProjection = conditionChannels.map {
      Linear(weights["cond_proj"], inputs: $0, outputs: dimension, hasBias: false)
    }
    self.dimension = dimension
    self.cosineFirst = cosineFirst
    self.frequencyShift = frequencyShift
    self.conditionChannels = conditionChannels
  }

  /// `[batch, channels]`: the embedding of one timestep for every element of a batch.
  ///
  /// - Parameter guidance: `[batch, conditionChannels]` of a latent consistency model.
  package func callAsFunction(
    _ timestep: Float, batch: Int, guidance: Tensor?, workspace: Workspace
  ) -> Tensor {
    let row = sinusoidalEmbedding(
      timestep, dimension: dimension, cosineFirst: cosineFirst, frequencyShift: frequencyShift)
    var x = workspace.tensor((0..<batch).flatMap { _ in row }, shape: [batch, dimension])
    if let conditionProjection, let guidance { x = conditionProjection(guidance, residual: x) }
    return linear2(activate(linear1(x), .silu))
  }
}
