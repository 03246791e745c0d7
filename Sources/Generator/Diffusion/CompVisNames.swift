/// The names of single-file checkpoints (CompVis `ldm`, Stability-AI) as the names of diffusers.
///
/// Read off `ldm/modules/diffusionmodules/openaimodel.py` and `model.py` of CompVis/latent-diffusion.
struct CompVisNames {
  /// Resnets of each level of the U-Net.
  let unetLayers: Int
  /// Levels of the autoencoder.
  let autoencoderLevels: Int

  /// Prefixes of what a single file holds.
  private static let unetPrefix = "model.diffusion_model."
  private static let autoencoderPrefix = "first_stage_model."
  private static let clipPrefix = "cond_stage_model.transformer."
  private static let openCLIPPrefix = "cond_stage_model.model."

  /// Whether `keys` are those of a single-file checkpoint.
  static func areCompVis(_ keys: some Sequence<String>) -> Bool {
    keys.contains { $0.hasPrefix(unetPrefix) }
  }

  /// The weights of one part under the names of diffusers; other parts, and buffers of the
  /// noise schedule, are left out.
  func weights(of part: ModelDirectory.Part, in all: [String: Weight]) -> [String: Weight] {
    var result: [String: Weight] = [:]
    for (key, weight) in all {
      switch part {
      case .unet:
        if let rest = key.without(Self.unetPrefix) { result[unetName(rest)] = weight }
      case .autoencoder:
        if let rest = key.without(Self.autoencoderPrefix), !rest.hasPrefix("loss") {
          result[autoencoderName(rest)] = weight
        }
      case .textEncoder:
        if let rest = key.without(Self.clipPrefix) {
          result[rest] = weight
        } else if let rest = key.without(Self.openCLIPPrefix) {
          result.merge(openCLIP(rest, weight)) { $1 }
        }
      }
    }
    return result
  }

  func unetName(_ key: String) -> String {
    let parts = key.split(separator: ".").map(String.init)
    let rest = { (count: Int) in parts.dropFirst(count).joined(separator: ".") }
    switch (parts[0], parts.count > 2 ? Int(parts[1]) : nil) {
    case ("input_blocks", 0?): return "conv_in." + rest(3)
    case ("input_blocks", let block?):
      let (level, layer) = ((block - 1) / (unetLayers + 1), (block - 1) % (unetLayers + 1))
      let name = "down_blocks.\(level)."
      if layer == unetLayers { return name + "downsamplers.0.conv." + rest(4) }
      return name + inner(parts[2], layer, rest(3))
    case ("middle_block", let place?):
      if place == 1 { return "mid_block.attentions.0." + rest(2) }
      return "mid_block.resnets.\(place / 2)." + Self.resnetName(rest(2))
    case ("output_blocks", let block?):
      let (level, layer) = (block / (unetLayers + 1), block % (unetLayers + 1))
      let name = "up_blocks.\(level)."
      if parts[3] == "conv" { return name + "upsamplers.0." + rest(3) }
      return name + inner(parts[2], layer, rest(3))
    case ("time_embed", 0?): return "time_embedding.linear_1." + rest(2)
    case ("time_embed", 2?): return "time_embedding.linear_2." + rest(2)
    case ("time_embed", nil): return "time_embedding." + rest(1)
    case ("out", 0?): return "conv_norm_out." + rest(2)
    case ("out", 2?): return "conv_out." + rest(2)
    default: return key
    }
  }

  private func inner(_ place: String, _ layer: Int, _ rest: String) -> String {
    place == "0"
      ? "resnets.\(layer)." + Self.resnetName(rest) : "attentions.\(layer)." + rest
  }

  private static func resnetName(_ key: String) -> String {
    let names = [
      ("in_layers.0.", "norm1."), ("in_layers.2.", "conv1."), ("emb_layers.1.", "time_emb_proj."),
      ("out_layers.0.", "norm2."), ("out_layers.3.", "conv2."),
      ("skip_connection.", "conv_shortcut."),
    ]
    for (old, new) in names {
      if let rest = key.without(old) { return new + rest }
    }
    return key
  }

  func autoencoderName(_ key: String) -> String {
    let parts = key.split(separator: ".").map(String.init)
    guard parts.count > 2, parts[0] == "encoder" || parts[0] == "decoder" else { return key }
    let rest = { (count: Int) in parts.dropFirst(count).joined(separator: ".") }
    let isDecoder = parts[0] == "decoder"
    switch parts[1] {
    case "norm_out": return "\(parts[0]).conv_norm_out." + rest(2)
    case "mid":
      let name = "\(parts[0]).mid_block."
      switch parts[2] {
      case "block_1": return name + "resnets.0." + rest(3)
      case "block_2": return name + "resnets.1." + rest(3)
      default:
        let names = [
          "norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0",
        ]
        return name + "attentions.0.\(names[parts[3]] ?? parts[3])." + rest(4)
      }
    case "down", "up":
      guard let level = Int(parts[2]), parts.count > 4 else { return key }
      let place = isDecoder ? autoencoderLevels - 1 - level : level
      let name = "\(parts[0]).\(parts[1])_blocks.\(place)."
      switch parts[3] {
      case "block":
        let inner = parts[5] == "nin_shortcut" ? "conv_shortcut" : parts[5]
        return name + "resnets.\(parts[4]).\(inner)." + rest(6)
      case "downsample": return name + "downsamplers.0." + rest(4)
      case "upsample": return name + "upsamplers.0." + rest(4)
      default: return key
      }
    default: return key
    }
  }

  /// OpenCLIP keeps query, key and value in one matrix, and its text projection in the file.
  private func openCLIP(_ key: String, _ weight: Weight) -> [String: Weight] {
    let names = [
      "token_embedding.weight": "embeddings.token_embedding.weight",
      "positional_embedding": "embeddings.position_embedding.weight",
      "ln_final.weight": "final_layer_norm.weight", "ln_final.bias": "final_layer_norm.bias",
    ]
    if let name = names[key] { return [name: weight] }
    let parts = key.split(separator: ".").map(String.init)
    guard parts.count >= 4, parts[0] == "transformer", parts[1] == "resblocks" else { return [:] }
    let name = "encoder.layers.\(parts[2])."
    let rest = parts.dropFirst(3).joined(separator: ".")
    if rest == "attn.in_proj_weight" || rest == "attn.in_proj_bias" {
      let kind = rest.hasSuffix("weight") ? "weight" : "bias"
      let third = weight.shape[0] / 3
      var result: [String: Weight] = [:]
      for (index, letter) in ["q", "k", "v"].enumerated() {
        result[name + "self_attn.\(letter)_proj.\(kind)"] =
          weight.slice(index * third..<(index + 1) * third)
      }
      return result
    }
    let inner = [
      "ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj",
      "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
    ]
    let stem = parts.dropFirst(3).dropLast().joined(separator: ".")
    return inner[stem].map { [name + $0 + "." + parts[parts.count - 1]: weight] } ?? [:]
  }
}

extension String {
  /// What follows `prefix`, if this starts with it.
  fileprivate func without(_ prefix: String) -> String? {
    hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
  }
}
