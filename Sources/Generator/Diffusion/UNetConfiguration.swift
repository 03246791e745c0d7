package import Foundation

/// A value of a configuration that is one number, or one for each level.
package enum PerLevel: Sendable, Equatable, Decodable {
  case all(Int)
  case each([Int])

  /// Decodes a number or an array of numbers.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Int.self) {
      self = .all(value)
    } else {
      self = .each(try container.decode([Int].self))
    }
  }

  func value(_ level: Int) -> Int {
    switch self {
    case .all(let value): value
    case .each(let values): values.indices.contains(level) ? values[level] : 0
    }
  }

  func isValid(levels: Int, range: ClosedRange<Int>) -> Bool {
    switch self {
    case .all(let value): range.contains(value)
    case .each(let values): values.count == levels && values.allSatisfy(range.contains)
    }
  }
}

/// `unet/config.json`: the shape of a `UNet2DConditionModel`.
package struct UNetConfiguration: Sendable {
  /// Channels of the latent.
  package let latentChannels: Int
  /// Side of the latent that the model was trained on.
  package let sampleSize: Int
  /// Channels of each level, finest first.
  package let blockChannels: [Int]
  /// Per level, whether its down block attends.
  package let downAttends: [Bool]
  /// Per level from coarse to fine, whether its up block attends.
  package let upAttends: [Bool]
  /// Whether there is a middle block.
  package let hasMiddle: Bool
  /// Resnets of each level on the way down; one more on the way up.
  package let layersPerBlock: Int
  /// Attention heads of each level.
  package let heads: PerLevel
  /// Channels of the text embedding.
  package let contextChannels: Int
  /// Groups of every group norm.
  package let groups: Int
  /// Epsilon of the resnets' group norms.
  package let epsilon: Float
  /// Transformer blocks of each spatial transformer.
  package let transformerLayers: Int
  /// Whether the time embedding starts with cosines.
  package let cosineFirst: Bool
  /// Subtracted from the number of frequencies in their spacing.
  package let frequencyShift: Float
  /// Channels of a latent consistency model's guidance embedding.
  package let guidanceChannels: Int?

  /// Heads of level `level`, 0 the finest.
  package func headCount(_ level: Int) -> Int { heads.value(level) }
}

extension UNetConfiguration {
  /// At most this many levels.
  package static let maximumLevels = 8
  /// At most this many channels of anything.
  package static let maximumChannels = 16384

  private struct Published: Decodable {
    var in_channels: Int?
    var out_channels: Int?
    var sample_size: PerLevel?
    var block_out_channels: [Int]?
    var down_block_types: [String]?
    var up_block_types: [String]?
    var mid_block_type: String?
    var layers_per_block: Int?
    var attention_head_dim: PerLevel?
    var num_attention_heads: PerLevel?
    var cross_attention_dim: Int?
    var norm_num_groups: Int?
    var norm_eps: Float?
    var act_fn: String?
    var transformer_layers_per_block: Int?
    var flip_sin_to_cos: Bool?
    var freq_shift: Float?
    var time_cond_proj_dim: Int?
    var center_input_sample: Bool?
    var dual_cross_attention: Bool?
    var class_embed_type: String?
    var addition_embed_type: String?
    var encoder_hid_dim: Int?
    var resnet_time_scale_shift: String?
    var time_embedding_type: String?
    var conv_in_kernel: Int?
    var downsample_padding: Int?
  }

  /// Reads the JSON of a `config.json`; keys that are absent have the defaults of diffusers.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``.
  package init(json: Data, file: String) throws(GeneratorError) {
    let published = try decodeConfiguration(Published.self, json, file: file)
    func refused(_ message: String) -> GeneratorError {
      GeneratorError(.badConfiguration, "\(file): \(message)")
    }
    // A key that is there and null means no middle block; an absent key means the usual one.
    let hasMiddleKey = try jsonKeys(json, file: file).contains("mid_block_type")
    blockChannels = published.block_out_channels ?? [320, 640, 1280, 1280]
    let levels = blockChannels.count
    guard (1...Self.maximumLevels).contains(levels),
      blockChannels.allSatisfy({ (1...Self.maximumChannels).contains($0) })
    else { throw refused("block_out_channels is \(blockChannels.prefix(20))") }
    downAttends = try attends(
      published.down_block_types
        ?? ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
      levels: levels, attending: "CrossAttnDownBlock2D", plain: "DownBlock2D", file: file)
    upAttends = try attends(
      published.up_block_types
        ?? ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
      levels: levels, attending: "CrossAttnUpBlock2D", plain: "UpBlock2D", file: file)
    let middle = published.mid_block_type ?? (hasMiddleKey ? nil : "UNetMidBlock2DCrossAttn")
    guard middle == nil || middle == "UNetMidBlock2DCrossAttn" else {
      throw refused("unknown block type '\(middle ?? "")'")
    }
    hasMiddle = middle != nil
    latentChannels = published.in_channels ?? 4
    guard (1...64).contains(latentChannels), (published.out_channels ?? 4) == latentChannels else {
      throw refused(
        "in_channels \(latentChannels) and out_channels \(published.out_channels ?? 4); "
          + "only text-to-image networks are supported, where both are equal")
    }
    sampleSize = published.sample_size?.value(0) ?? 64
    layersPerBlock = published.layers_per_block ?? 2
    heads = published.num_attention_heads ?? published.attention_head_dim ?? .all(8)
    contextChannels = published.cross_attention_dim ?? 1280
    groups = published.norm_num_groups ?? 32
    epsilon = published.norm_eps ?? 1e-5
    transformerLayers = published.transformer_layers_per_block ?? 1
    cosineFirst = published.flip_sin_to_cos ?? true
    frequencyShift = published.freq_shift ?? 0
    guidanceChannels = published.time_cond_proj_dim
    try checkRanges(file: file)
    try Self.checkUnsupported(published, file: file)
  }

  private func checkRanges(file: String) throws(GeneratorError) {
    let numbers: [(String, Int, ClosedRange<Int>)] = [
      ("sample_size", sampleSize, 1...4096), ("layers_per_block", layersPerBlock, 1...16),
      ("cross_attention_dim", contextChannels, 1...Self.maximumChannels),
      ("norm_num_groups", groups, 1...Self.maximumChannels),
      ("transformer_layers_per_block", transformerLayers, 1...32),
      ("time_cond_proj_dim", guidanceChannels ?? 1, 1...Self.maximumChannels),
    ]
    for (name, value, range) in numbers where !range.contains(value) {
      throw GeneratorError(
        .badConfiguration,
        "\(file): \(name) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
    }
    let levels = blockChannels.count
    guard heads.isValid(levels: levels, range: 1...256) else {
      throw GeneratorError(.badConfiguration, "\(file): attention_head_dim is \(heads)")
    }
    for (level, channels) in blockChannels.enumerated()
    where channels % groups != 0 || channels % headCount(level) != 0 {
      throw GeneratorError(
        .badConfiguration,
        "\(file): \(channels) channels of level \(level) are not divisible by \(groups) groups and "
          + "\(headCount(level)) heads")
    }
  }

  private static func checkUnsupported(
    _ published: Published, file: String
  ) throws(GeneratorError) {
    let supported: [(String, Bool)] = [
      ("act_fn", [nil, "silu", "swish"].contains(published.act_fn)),
      ("center_input_sample", published.center_input_sample != true),
      ("dual_cross_attention", published.dual_cross_attention != true),
      ("class_embed_type", published.class_embed_type == nil),
      ("addition_embed_type", published.addition_embed_type == nil),
      ("encoder_hid_dim", published.encoder_hid_dim == nil),
      ("resnet_time_scale_shift", [nil, "default"].contains(published.resnet_time_scale_shift)),
      ("time_embedding_type", [nil, "positional"].contains(published.time_embedding_type)),
      ("conv_in_kernel", [nil, 3].contains(published.conv_in_kernel)),
      ("downsample_padding", [nil, 1].contains(published.downsample_padding)),
    ]
    if let (name, _) = supported.first(where: { !$0.1 }) {
      throw GeneratorError(.badConfiguration, "\(file): this value of \(name) is not supported")
    }
  }
}

/// Whether each block attends.
private func attends(
  _ types: [String], levels: Int, attending: String, plain: String, file: String
) throws(GeneratorError) -> [Bool] {
  guard types.count == levels else {
    throw GeneratorError(
      .badConfiguration, "\(file): \(types.count) block types for \(levels) levels")
  }
  if let unknown = types.first(where: { $0 != attending && $0 != plain }) {
    throw GeneratorError(
      .badConfiguration,
      "\(file): unknown block type '\(unknown)'; expected '\(attending)' or '\(plain)'")
  }
  return types.map { $0 == attending }
}
