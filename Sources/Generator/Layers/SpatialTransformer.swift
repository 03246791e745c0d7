/// Multi-head attention from tokens to tokens, with its four projections.
package struct AttentionLayer: Sendable {
  private let toQuery: Linear
  private let toKey: Linear
  private let toValue: Linear
  private let toOut: Linear
  private let heads: Int

  /// Reads `to_q`, `to_k`, `to_v` and `to_out.0`.
  package init(
    _ weights: WeightScope, channels: Int, contextChannels: Int, heads: Int, hasBias: Bool = false
  ) {
    toQuery = Linear(
      weights["to_q"], inputs: channels, outputs: channels, hasBias: hasBias)
    toKey = Linear(
      weights["to_k"], inputs: contextChannels, outputs: channels, hasBias: hasBias)
    toValue = Linear(
      weights["to_v"], inputs: contextChannels, outputs: channels, hasBias: hasBias)
    toOut = Linear(weights["to_out"]["0"], inputs: channels, outputs: channels)
    self.heads = heads
  }

  /// Attention of `x` `[batch, tokens, channels]` to `context` `[batch, keys, contextChannels]`,
  /// plus `residual`; `observe` is lent the probabilities `[batch, heads, tokens, keys]`, which are
  /// computed only for it.
  package func callAsFunction(
    _ x: Tensor, context: Tensor, residual: Tensor, observe: ((Tensor) -> Void)? = nil
  ) -> Tensor {
    let query = toQuery(x)
    let key = toKey(context)
    if let observe { observe(attentionProbabilities(query, key, heads: heads)) }
    return toOut(attention(query, key, toValue(context), heads: heads), residual: residual)
  }
}

/// The two kinds of attention of a transformer block, by their published names.
package enum AttentionKind: String, Sendable {
  /// Pixels to pixels.
  case toItself = "attn1"
  /// Pixels to the words of the prompt.
  case toContext = "attn2"
}

/// Is lent an attention's probabilities, `[batch, heads, tokens, keys]`.
package typealias AttentionObserver = (Tensor) -> Void

/// Self-attention, cross-attention and a gated feed-forward layer, each behind a layer norm.
package struct TransformerBlock: Sendable {
  private let norm1: LayerNorm
  private let selfAttention: AttentionLayer
  private let norm2: LayerNorm
  private let crossAttention: AttentionLayer
  private let norm3: LayerNorm
  private let feedForwardIn: Linear
  private let feedForwardOut: Linear

  /// Reads a `BasicTransformerBlock`.
  package init(_ weights: WeightScope, channels: Int, contextChannels: Int, heads: Int) {
    norm1 = LayerNorm(weights["norm1"], channels: channels)
    selfAttention = AttentionLayer(
      weights["attn1"], channels: channels, contextChannels: channels, heads: heads)
    norm2 = LayerNorm(weights["norm2"], channels: channels)
    crossAttention = AttentionLayer(
      weights["attn2"], channels: channels, contextChannels: contextChannels, heads: heads)
    norm3 = LayerNorm(weights["norm3"], channels: channels)
    feedForwardIn = Linear(
      weights["ff.net.0.proj"], inputs: channels, outputs: 8 * channels)
    feedForwardOut = Linear(weights["ff.net.2"], inputs: 4 * channels, outputs: channels)
  }

  /// `[batch, tokens, channels]`, same shape; see ``AttentionObserver``.
  package func callAsFunction(
    _ x: Tensor, context: Tensor, observer: ((AttentionKind) -> AttentionObserver?)? = nil
  ) -> Tensor {
    var x = x
    let normed = norm1(x)
    x = selfAttention(
      normed, context: normed, residual: x, observe: observer?(.toItself))
    x = crossAttention(
      norm2(x), context: context, residual: x, observe: observer?(.toContext))
    return feedForwardOut(geglu(feedForwardIn(norm3(x))), residual: x)
  }
}

/// Transformer blocks over the pixels of a feature map, around a shortcut.
package struct SpatialTransformer: Sendable {
  private let norm: GroupNorm
  private let projectionIn: Linear
  private let blocks: [TransformerBlock]
  private let projectionOut: Linear

  /// Reads a `Transformer2DModel`; its projections may be 1x1 convolutions or linear layers, which
  /// are the same for channels-last pictures.
  package init(
    _ weights: WeightScope, channels: Int, contextChannels: Int, heads: Int, groups: Int,
    blockCount: Int
  ) {
    norm = GroupNorm(weights["norm"], channels: channels, groups: groups, epsilon: 1e-6)
    projectionIn = Linear(weights["proj_in"], inputs: channels, outputs: channels)
    blocks = (0..<blockCount).map {
      TransformerBlock(
        weights["transformer_blocks"]["\($0)"], channels: channels,
        contextChannels: contextChannels, heads: heads)
    }
    projectionOut = Linear(weights["proj_out"], inputs: channels, outputs: channels)
  }

  /// `[batch, height, width, channels]`, same shape; `observer` says for each block's number and kind
  /// of attention who is lent its probabilities, which are not computed for nobody.
  package func callAsFunction(
    _ x: Tensor, context: Tensor,
    observer: ((Int, AttentionKind) -> AttentionObserver?)? = nil
  ) -> Tensor {
    let (batch, channels) = (x.shape[0], x.shape[3])
    var tokens = projectionIn(norm(x)).reshaped([batch, x.shape[1] * x.shape[2], channels])
    for (index, block) in blocks.enumerated() {
      tokens = block(
        tokens, context: context, observer: observer.map { observer in { observer(index, $0) } })
    }
    return projectionOut(tokens.reshaped(x.shape), residual: x)
  }
}
