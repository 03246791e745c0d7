/// Turns queries and fused features into embeddings whose dot product with a pixel is a logit.
///
/// A transformer decoder with layer norms first, no positional encoding and no final norm; then a
/// perceptron of three layers. Queries of one picture see each other and that picture's tokens.
struct MaskDecoder {
  private let toKey: Parameter
  private let toQuery: Parameter
  private let layers: [DecoderLayer]
  private let perceptron: [(weight: Parameter, bias: Parameter)]
  private let patch: Int

  init(_ make: ParameterMaker, _ configuration: GroundingConfiguration) {
    let width = configuration.width
    let tokenChannels =
      configuration.featureChannels * configuration.patch * configuration.patch
    // "transfromer" is how the published checkpoint spells it.
    layers = (0..<configuration.layers).map {
      DecoderLayer(make, "transfromer_decoder.layers.\($0)", configuration)
    }
    let widths = [width, width, width, configuration.maskChannels]
    perceptron = (0..<3).map { index in
      (
        make.parameter(
          "mlp.layers.\(index).weight", [widths[index + 1], widths[index]],
          .inputs(widths[index])),
        make.parameter("mlp.layers.\(index).bias", [widths[index + 1]], .inputs(widths[index]))
      )
    }
    toKey = make.parameter("to_k.weight", [width, tokenChannels], .inputs(tokenChannels))
    toQuery = make.parameter(
      "to_q.weight", [width, configuration.textChannels], .inputs(configuration.textChannels))
    patch = configuration.patch
  }

  /// `[queries, maskChannels]`.
  ///
  /// - Parameters:
  ///   - text: `[queries, textChannels]`, picture by picture.
  ///   - features: `[batch, height, width, channels]`.
  ///   - queries: for each picture its rows of `text`.
  func callAsFunction(
    _ text: Variable, _ features: Variable, queries: [Range<Int>], _ tape: Tape
  ) -> Variable {
    let tokens = tape.linear(tape.unfold(features, side: patch), toKey)
    let perPicture = tokens.shape[0] / max(queries.count, 1)
    let within = queries.map { AttentionSegment(queries: $0, keys: $0) }
    let across = queries.enumerated().map { index, rows in
      AttentionSegment(queries: rows, keys: index * perPicture..<(index + 1) * perPicture)
    }
    var x = tape.linear(text, toQuery)
    for layer in layers { x = layer(x, tokens, within: within, across: across, tape) }
    for (index, layer) in perceptron.enumerated() {
      x = tape.linear(x, layer.weight, bias: layer.bias)
      if index + 1 < perceptron.count { x = tape.relu(x) }
    }
    return x
  }
}

/// Self-attention, cross-attention and a feed-forward layer, each behind a layer norm.
struct DecoderLayer {
  private let selfAttention: DecoderAttention
  private let crossAttention: DecoderAttention
  private let norms: [(weight: Parameter, bias: Parameter)]
  private let linears: [(weight: Parameter, bias: Parameter)]

  init(_ make: ParameterMaker, _ name: String, _ configuration: GroundingConfiguration) {
    let (width, inner) = (configuration.width, configuration.feedForward)
    selfAttention = DecoderAttention(make, "\(name).self_attn", configuration)
    crossAttention = DecoderAttention(make, "\(name).multihead_attn", configuration)
    linears = [(1, width, inner), (2, inner, width)].map { number, inputs, outputs in
      (
        make.parameter("\(name).linear\(number).weight", [outputs, inputs], .inputs(inputs)),
        make.parameter("\(name).linear\(number).bias", [outputs], .inputs(inputs))
      )
    }
    norms = [1, 2, 3].map { number in
      (
        make.parameter("\(name).norm\(number).weight", [width], .value(1)),
        make.parameter("\(name).norm\(number).bias", [width], .value(0))
      )
    }
  }

  func callAsFunction(
    _ x: Variable, _ tokens: Variable, within: [AttentionSegment], across: [AttentionSegment],
    _ tape: Tape
  ) -> Variable {
    func norm(_ x: Variable, _ index: Int) -> Variable {
      tape.layerNorm(x, weight: norms[index].weight, bias: norms[index].bias)
    }
    var x = x
    let first = norm(x, 0)
    x = tape.add(x, selfAttention(first, first, within, tape))
    x = tape.add(x, crossAttention(norm(x, 1), tokens, across, tape))
    let hidden = tape.relu(tape.linear(norm(x, 2), linears[0].weight, bias: linears[0].bias))
    return tape.add(x, tape.linear(hidden, linears[1].weight, bias: linears[1].bias))
  }
}

/// Multi-head attention with PyTorch's joined input projection, without biases.
struct DecoderAttention {
  private let query: Parameter
  private let key: Parameter
  private let value: Parameter
  private let output: Parameter
  private let heads: Int

  init(_ make: ParameterMaker, _ name: String, _ configuration: GroundingConfiguration) {
    let width = configuration.width
    let input = make.parameter("\(name).in_proj_weight", [3 * width, width], .inputs(width))
    let isThere = input.value.count > 0
    func part(_ index: Int) -> Parameter {
      isThere ? input.slice(index * width..<(index + 1) * width) : input
    }
    (query, key, value) = (part(0), part(1), part(2))
    output = make.parameter("\(name).out_proj.weight", [width, width], .inputs(width))
    heads = configuration.heads
  }

  func callAsFunction(
    _ x: Variable, _ context: Variable, _ segments: [AttentionSegment], _ tape: Tape
  ) -> Variable {
    let attended = tape.attention(
      tape.linear(x, query), tape.linear(context, key), tape.linear(context, value),
      heads: heads, segments: segments)
    return tape.linear(attended, output)
  }
}
