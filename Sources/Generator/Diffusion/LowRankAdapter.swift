/// A LoRA file: products of two thin matrices that are added to the weights of a model.
///
/// Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022. Names of diffusers (`unet.….lora_A.weight`,
/// `….lora.down.weight`) and of kohya's scripts (`lora_unet_….lora_down.weight`) are understood.
package struct LowRankAdapter: Sendable {
  /// Thin matrices for one layer.
  private struct Pair: Sendable {
    var down: Weight?
    var up: Weight?
    var alpha: Float?
  }

  private let path: String
  private let scale: Float
  // By part and by the layer's name with dots as underscores.
  private let pairs: [String: Pair]

  /// Reads a file; `scale` weighs the whole of it.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint``, ``GeneratorError/Code/fileAccess``.
  package init(path: String, scale: Float = 1) throws(GeneratorError) {
    self.path = path
    self.scale = scale
    var pairs: [String: Pair] = [:]
    for (key, weight) in try SafetensorsFile(path: path).weights() {
      guard let (layer, role) = Self.parse(key) else {
        throw GeneratorError(.badCheckpoint, "\(path): '\(key)' is not part of a low-rank adapter")
      }
      switch role {
      case .down: pairs[layer, default: Pair()].down = weight
      case .up: pairs[layer, default: Pair()].up = weight
      case .alpha:
        guard weight.count == 1 else {
          throw GeneratorError(.badCheckpoint, "\(path): '\(key)' is \(weight.shape)")
        }
        pairs[layer, default: Pair()].alpha = weight.values[0]
      }
    }
    self.pairs = pairs
  }

  private enum Role { case down, up, alpha }

  private static let endings: [(String, Role)] = [
    (".lora_A.weight", .down), (".lora_B.weight", .up), (".lora_down.weight", .down),
    (".lora_up.weight", .up), (".lora.down.weight", .down), (".lora.up.weight", .up),
    ("_lora.down.weight", .down), ("_lora.up.weight", .up),
    (".lora_linear_layer.down.weight", .down), (".lora_linear_layer.up.weight", .up),
    (".alpha", .alpha),
  ]

  /// Layer (`unet_…` or `text_encoder_…`) and role of a key.
  private static func parse(_ key: String) -> (layer: String, role: Role)? {
    guard let (ending, role) = endings.first(where: { key.hasSuffix($0.0) }) else { return nil }
    var layer = String(key.dropLast(ending.count)).replacing(".processor.", with: ".")
      .replacing(".", with: "_")
    if layer.hasPrefix("lora_te_") {
      layer = "text_encoder_" + layer.dropFirst("lora_te_".count)
    } else if layer.hasPrefix("lora_unet_") {
      layer = String(layer.dropFirst("lora_".count))
    }
    guard layer.hasPrefix("unet_") || layer.hasPrefix("text_encoder_") else { return nil }
    return (layer, role)
  }

  /// The weights of a part with this adapter added.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` when the file changes layers that the part has
  ///   not, or by matrices that do not fit.
  func merged(
    into weights: [String: Weight], part: ModelDirectory.Part, workspace: Workspace
  ) throws(GeneratorError) -> [String: Weight] {
    var result = weights
    var left = Set(pairs.keys.filter { $0.hasPrefix(part.rawValue + "_") })
    for (key, weight) in weights where key.hasSuffix(".weight") {
      let name = String(key.dropLast(".weight".count)).replacing(".", with: "_")
      // Text encoders are saved with and without `text_model.`; adapters have it.
      for layer in ["\(part.rawValue)_\(name)", "\(part.rawValue)_text_model_\(name)"]
      where left.contains(layer) {
        guard let pair = pairs[layer] else { continue }
        result[key] = try merged(pair, into: weight, layer: layer, workspace: workspace)
        left.remove(layer)
      }
    }
    guard left.isEmpty else {
      let shown = left.sorted().prefix(WeightCollection.maximumListedProblems)
      throw GeneratorError(
        .badCheckpoint,
        "\(path): the model has no layer for \(left.count) of its matrices: "
          + shown.joined(separator: ", "))
    }
    return result
  }

  /// `weight + scale · alpha / rank · up · down`.
  private func merged(
    _ pair: Pair, into weight: Weight, layer: String, workspace: Workspace
  ) throws(GeneratorError) -> Weight {
    guard let down = pair.down, let up = pair.up, let rank = down.shape.first, rank > 0,
      let outputs = weight.shape.first, outputs > 0,
      up.shape.prefix(2) == [outputs, rank], up.count == outputs * rank,
      down.count == rank * (weight.count / outputs)
    else {
      throw GeneratorError(
        .badCheckpoint,
        "\(path): '\(layer)' is changed by \(pair.up?.shape ?? []) times \(pair.down?.shape ?? []), "
          + "but its weight is \(weight.shape)")
    }
    let columns = weight.count / outputs
    let factor = scale * (pair.alpha ?? Float(rank)) / Float(rank)
    let (values, downValues) = (up.values.map { $0 * factor }, down.values)
    var transposed = [Float](repeating: 0, count: downValues.count)
    for r in 0..<rank {
      for c in 0..<columns { transposed[c * rank + r] = downValues[r * columns + c] }
    }
    let sum = linear(
      workspace.tensor(values, shape: [outputs, rank]),
      Weight(transposed, shape: [columns, rank]), bias: nil,
      residual: weight.tensor(workspace).reshaped([outputs, columns]))
    return Weight(sharing: sum.reshaped(weight.shape))
  }
}
