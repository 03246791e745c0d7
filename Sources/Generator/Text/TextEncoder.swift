package import Foundation

/// `text_encoder/config.json`: the shape of a `CLIPTextModel`.
package struct TextEncoderConfiguration: Sendable {
  /// Rows of the token embedding.
  package let vocabularySize: Int
  /// Channels.
  package let width: Int
  /// Channels inside the feed-forward layers.
  package let innerWidth: Int
  /// Layers.
  package let layerCount: Int
  /// Attention heads.
  package let heads: Int
  /// Tokens of a prompt.
  package let length: Int
  /// Activation of the feed-forward layers.
  package let activation: Activation
  /// Epsilon of the layer norms.
  package let epsilon: Float

  private struct Published: Decodable {
    var vocab_size: Int?
    var hidden_size: Int?
    var intermediate_size: Int?
    var num_hidden_layers: Int?
    var num_attention_heads: Int?
    var max_position_embeddings: Int?
    var hidden_act: String?
    var layer_norm_eps: Float?
  }

  /// Reads the JSON of a `config.json`; keys that are absent have the defaults of transformers.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``.
  package init(json: Data, file: String) throws(GeneratorError) {
    let published = try decodeConfiguration(Published.self, json, file: file)
    vocabularySize = published.vocab_size ?? 49408
    width = published.hidden_size ?? 512
    innerWidth = published.intermediate_size ?? 2048
    layerCount = published.num_hidden_layers ?? 12
    heads = published.num_attention_heads ?? 8
    length = published.max_position_embeddings ?? 77
    epsilon = published.layer_norm_eps ?? 1e-5
    switch published.hidden_act ?? "quick_gelu" {
    case "quick_gelu": activation = .quickGELU
    case "gelu": activation = .gelu
    case let other:
      throw GeneratorError(
        .badConfiguration,
        "\(file): hidden_act is '\(other)'; expected 'quick_gelu' or 'gelu'")
    }
    let numbers: [(String, Int, ClosedRange<Int>)] = [
      ("vocab_size", vocabularySize, 3...(1 << 24)), ("hidden_size", width, 1...16384),
      ("intermediate_size", innerWidth, 1...65536), ("num_hidden_layers", layerCount, 1...128),
      ("num_attention_heads", heads, 1...256), ("max_position_embeddings", length, 3...4096),
    ]
    for (name, value, range) in numbers where !range.contains(value) {
      throw GeneratorError(
        .badConfiguration,
        "\(file): \(name) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
    }
    guard width % heads == 0 else {
      throw GeneratorError(
        .badConfiguration, "\(file): hidden_size \(width) is not divisible by \(heads) heads")
    }
  }
}

/// The text side of CLIP: token numbers to the embeddings that the U-Net attends to.
package struct TextEncoder: Sendable {
  /// The shape of the network.
  package let configuration: TextEncoderConfiguration
  private let tokenEmbedding: Weight
  private let positionEmbedding: Weight
  private let layers: [TextEncoderLayer]
  private let finalNorm: LayerNorm
  private let workspace: Workspace

  /// Reads a `CLIPTextModel`, with or without the `text_model.` prefix of older files.
  package init(_ weights: WeightScope, configuration: TextEncoderConfiguration) {
    let width = configuration.width
    let hasPrefix = weights.has("text_model.embeddings.token_embedding.weight")
    let weights = hasPrefix ? weights["text_model"] : weights
    self.configuration = configuration
    workspace = weights.workspace
    tokenEmbedding = weights.weight(
      "embeddings.token_embedding.weight", [configuration.vocabularySize, width])
    positionEmbedding = weights.weight(
      "embeddings.position_embedding.weight", [configuration.length, width])
    layers = (0..<configuration.layerCount).map {
      TextEncoderLayer(weights["encoder.layers"]["\($0)"], configuration: configuration)
    }
    finalNorm = LayerNorm(
      weights["final_layer_norm"], channels: width, epsilon: configuration.epsilon)
  }

  /// The last hidden state after the final norm, `[batch, length, width]`.
  ///
  /// - Precondition: every prompt has `length` tokens below the vocabulary size.
  package func callAsFunction(_ prompts: [[Int32]]) -> Tensor {
    let (length, width) = (configuration.length, configuration.width)
    let positions = positionEmbedding.values
    var values: [Float] = []
    for tokens in prompts {
      precondition(tokens.count == length, "\(tokens.count) tokens for \(length) places")
      for token in tokens {
        values += tokenEmbedding.slice(Int(token)..<Int(token) + 1).values
      }
    }
    for index in values.indices { values[index] += positions[index % (length * width)] }
    var x = workspace.tensor(values, shape: [prompts.count, length, width])
    for layer in layers { x = layer(x) }
    return finalNorm(x)
  }
}

/// Causal self-attention and a feed-forward layer, each behind a layer norm.
private struct TextEncoderLayer: Sendable {
  let norm1: LayerNorm
  let query: Linear
  let key: Linear
  let value: Linear
  let out: Linear
  let norm2: LayerNorm
  let inner: Linear
  let outer: Linear
  let heads: Int
  let activation: Activation

  init(_ weights: WeightScope, configuration: TextEncoderConfiguration) {
    let (width, inner) = (configuration.width, configuration.innerWidth)
    func square(_ name: String) -> Linear {
      Linear(weights["self_attn"][name], inputs: width, outputs: width)
    }
    norm1 = LayerNorm(
      weights["layer_norm1"], channels: width, epsilon: configuration.epsilon)
    query = square("q_proj")
    key = square("k_proj")
    value = square("v_proj")
    out = square("out_proj")
    norm2 = LayerNorm(
      weights["layer_norm2"], channels: width, epsilon: configuration.epsilon)
    self.inner = Linear(weights["mlp.fc1"], inputs: width, outputs: inner)
    outer = Linear(weights["mlp.fc2"], inputs: inner, outputs: width)
    heads = configuration.heads
    activation = configuration.activation
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let normed = norm1(x)
    let attended = attention(
      query(normed), key(normed), value(normed), heads: heads, isCausal: true)
    let x = out(attended, residual: x)
    return outer(activate(inner(norm2(x)), activation), residual: x)
  }
}
