package import Foundation

/// `vae/config.json`: the shape of an `AutoencoderKL`.
package struct AutoencoderConfiguration: Sendable {
  /// Channels of the latent.
  package let latentChannels: Int
  /// Channels of each level, finest first.
  package let blockChannels: [Int]
  /// Resnets of each encoder level; one more in the decoder.
  package let layersPerBlock: Int
  /// Groups of every group norm.
  package let groups: Int
  /// Latents are multiplied by this for the U-Net.
  package let scalingFactor: Float
  /// Side of the pictures it was trained on; larger ones are decoded in tiles.
  package let sampleSize: Int
  /// Whether the middle blocks attend.
  package let middleAttends: Bool
  let hasQuantization: Bool
  let hasPostQuantization: Bool

  /// Pixels along one side of a latent's pixel.
  package var downsampling: Int { 1 << (blockChannels.count - 1) }

  private struct Published: Decodable {
    var in_channels: Int?
    var out_channels: Int?
    var latent_channels: Int?
    var block_out_channels: [Int]?
    var down_block_types: [String]?
    var up_block_types: [String]?
    var layers_per_block: Int?
    var norm_num_groups: Int?
    var scaling_factor: Float?
    var shift_factor: Float?
    var sample_size: Int?
    var act_fn: String?
    var mid_block_add_attention: Bool?
    var use_quant_conv: Bool?
    var use_post_quant_conv: Bool?
  }

  /// Reads the JSON of a `config.json`.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``.
  package init(json: Data, file: String) throws(GeneratorError) {
    let published = try decodeConfiguration(Published.self, json, file: file)
    func refused(_ message: String) -> GeneratorError {
      GeneratorError(.badConfiguration, "\(file): \(message)")
    }
    blockChannels = published.block_out_channels ?? [128, 256, 512, 512]
    latentChannels = published.latent_channels ?? 4
    layersPerBlock = published.layers_per_block ?? 2
    groups = published.norm_num_groups ?? 32
    // Absent from older files; Rombach et al. 2022 set it so that latents have unit variance.
    scalingFactor = published.scaling_factor ?? 0.18215
    sampleSize = published.sample_size ?? 512
    middleAttends = published.mid_block_add_attention ?? true
    hasQuantization = published.use_quant_conv ?? true
    hasPostQuantization = published.use_post_quant_conv ?? true
    guard (1...8).contains(blockChannels.count), (1...16).contains(layersPerBlock),
      (1...64).contains(latentChannels), (1...16384).contains(groups),
      blockChannels.allSatisfy({ (1...16384).contains($0) && $0 % groups == 0 })
    else {
      throw refused(
        "block_out_channels \(blockChannels.prefix(20)), layers_per_block \(layersPerBlock), "
          + "latent_channels \(latentChannels), norm_num_groups \(groups) do not fit together")
    }
    guard (published.in_channels ?? 3) == 3, (published.out_channels ?? 3) == 3 else {
      throw refused("only pictures of 3 channels are supported")
    }
    guard scalingFactor.isFinite, scalingFactor > 0, published.shift_factor ?? 0 == 0,
      (8...65536).contains(sampleSize), ["silu", "swish"].contains(published.act_fn ?? "silu")
    else { throw refused("scaling_factor, shift_factor, sample_size or act_fn is not supported") }
    let types = (published.down_block_types ?? []) + (published.up_block_types ?? [])
    if let unknown = types.first(where: {
      $0 != "DownEncoderBlock2D" && $0 != "UpDecoderBlock2D"
    }) {
      throw refused(
        "unknown block type '\(unknown)'; expected 'DownEncoderBlock2D' or 'UpDecoderBlock2D'")
    }
  }
}

private let autoencoderEpsilon: Float = 1e-6

/// Pictures to latents.
package struct AutoencoderEncoder: Sendable {
  private let convolutionIn: Convolution
  private let levels: [AutoencoderLevel]
  private let middle: AutoencoderMiddle
  private let normOut: GroupNorm
  private let convolutionOut: Convolution
  private let quantization: Linear?
  private let latentChannels: Int

  /// Reads the `encoder` and `quant_conv` of an `AutoencoderKL`.
  package init(_ root: WeightScope, configuration: AutoencoderConfiguration) {
    let channels = configuration.blockChannels
    let weights = root["encoder"]
    let last = channels[channels.count - 1]
    latentChannels = configuration.latentChannels
    convolutionIn = Convolution(weights["conv_in"], inputs: 3, outputs: channels[0])
    levels = channels.indices.map { level in
      AutoencoderLevel(
        weights["down_blocks.\(level)"], inputs: channels[max(level - 1, 0)],
        outputs: channels[level], resnets: configuration.layersPerBlock,
        groups: configuration.groups,
        // Zeros on the right and below only, as the original pads.
        resize: level + 1 < channels.count
          ? (
            "downsamplers.0.conv",
            ConvolutionGeometry(kernel: 3, stride: 2, paddingBefore: 0, paddingAfter: 1)
          ) : nil)
    }
    middle = AutoencoderMiddle(
      weights["mid_block"], channels: last, groups: configuration.groups,
      attends: configuration.middleAttends)
    normOut = GroupNorm(
      weights["conv_norm_out"], channels: last, groups: configuration.groups,
      epsilon: autoencoderEpsilon)
    convolutionOut = Convolution(
      weights["conv_out"], inputs: last, outputs: 2 * latentChannels)
    quantization =
      configuration.hasQuantization
      ? Linear(root["quant_conv"], inputs: 2 * latentChannels, outputs: 2 * latentChannels) : nil
  }

  /// `[batch, height, width, 3]` in −1…1 → mean and logarithm of the variance of the latent,
  /// `[batch, height/8, width/8, 2 * latentChannels]`, not scaled.
  package func callAsFunction(_ picture: Tensor) -> Tensor {
    var x = convolutionIn(picture)
    for level in levels {
      x = level.resnets(x)
      if let resize = level.resize { x = resize(x) }
    }
    x = convolutionOut(normOut(middle(x), silu: true))
    return quantization.map { $0(x) } ?? x
  }
}

/// Latents to pictures.
package struct AutoencoderDecoder: Sendable {
  private let convolutionIn: Convolution
  private let middle: AutoencoderMiddle
  private let levels: [AutoencoderLevel]
  private let normOut: GroupNorm
  private let convolutionOut: Convolution
  private let postQuantization: Linear?

  /// Reads the `decoder` and `post_quant_conv` of an `AutoencoderKL`.
  package init(_ root: WeightScope, configuration: AutoencoderConfiguration) {
    let channels = Array(configuration.blockChannels.reversed())
    let weights = root["decoder"]
    postQuantization =
      configuration.hasPostQuantization
      ? Linear(
        root["post_quant_conv"], inputs: configuration.latentChannels,
        outputs: configuration.latentChannels) : nil
    convolutionIn = Convolution(
      weights["conv_in"], inputs: configuration.latentChannels, outputs: channels[0])
    middle = AutoencoderMiddle(
      weights["mid_block"], channels: channels[0], groups: configuration.groups,
      attends: configuration.middleAttends)
    levels = channels.indices.map { level in
      AutoencoderLevel(
        weights["up_blocks.\(level)"], inputs: channels[max(level - 1, 0)],
        outputs: channels[level], resnets: configuration.layersPerBlock + 1,
        groups: configuration.groups,
        resize: level + 1 < channels.count
          ? ("upsamplers.0.conv", ConvolutionGeometry(kernel: 3, padding: 1)) : nil)
    }
    let last = channels[channels.count - 1]
    normOut = GroupNorm(
      weights["conv_norm_out"], channels: last, groups: configuration.groups,
      epsilon: autoencoderEpsilon)
    convolutionOut = Convolution(weights["conv_out"], inputs: last, outputs: 3)
  }

  /// `[batch, height, width, latentChannels]`, not scaled → `[batch, 8·height, 8·width, 3]`.
  package func callAsFunction(_ latent: Tensor) -> Tensor {
    var x = convolutionIn(postQuantization.map { $0(latent) } ?? latent)
    x = middle(x)
    for level in levels {
      x = level.resnets(x)
      if let resize = level.resize {
        x = resize(upsampleNearest(x, height: 2 * x.shape[1], width: 2 * x.shape[2]))
      }
    }
    return convolutionOut(normOut(x, silu: true))
  }
}

/// The resnets of one level and its change of size.
private struct AutoencoderLevel: Sendable {
  private let blocks: [ResnetBlock]
  let resize: Convolution?

  init(
    _ weights: WeightScope, inputs: Int, outputs: Int, resnets: Int, groups: Int,
    resize: (name: String, geometry: ConvolutionGeometry)?
  ) {
    blocks = (0..<resnets).map {
      ResnetBlock(
        weights["resnets.\($0)"], inputs: $0 == 0 ? inputs : outputs, outputs: outputs,
        timeChannels: nil, groups: groups, epsilon: autoencoderEpsilon)
    }
    self.resize = resize.map {
      Convolution(weights[$0.name], inputs: outputs, outputs: outputs, geometry: $0.geometry)
    }
  }

  func resnets(_ x: Tensor) -> Tensor {
    var x = x
    for block in blocks { x = block(x) }
    return x
  }
}

/// Two resnets with attention of one head between them.
private struct AutoencoderMiddle: Sendable {
  private let first: ResnetBlock
  private let second: ResnetBlock
  private let norm: GroupNorm?
  private let attentionLayer: AttentionLayer?

  init(_ weights: WeightScope, channels: Int, groups: Int, attends: Bool) {
    func resnet(_ index: Int) -> ResnetBlock {
      ResnetBlock(
        weights["resnets.\(index)"], inputs: channels, outputs: channels, timeChannels: nil,
        groups: groups, epsilon: autoencoderEpsilon)
    }
    first = resnet(0)
    second = resnet(1)
    let attention = weights["attentions.0"]
    norm =
      attends
      ? GroupNorm(
        attention["group_norm"], channels: channels, groups: groups, epsilon: autoencoderEpsilon)
      : nil
    attentionLayer =
      attends
      ? AttentionLayer(
        attention, channels: channels, contextChannels: channels, heads: 1, hasBias: true) : nil
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var x = first(x)
    if let norm, let attentionLayer {
      let tokens = [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]]
      let normed = norm(x).reshaped(tokens)
      x = attentionLayer(normed, context: normed, residual: x.reshaped(tokens)).reshaped(x.shape)
    }
    return second(x)
  }
}
