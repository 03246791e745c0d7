package import Foundation

/// `config.json` of an `AutoencoderTiny`.
package struct TinyAutoencoderConfiguration: Sendable {
  let encoderChannels: [Int]
  let decoderChannels: [Int]
  let encoderBlocks: [Int]
  let decoderBlocks: [Int]
  /// Channels of the latent.
  package let latentChannels: Int
  /// Latents are multiplied by this for the U-Net.
  package let scalingFactor: Float

  private struct Published: Decodable {
    var latent_channels: Int?
    var encoder_block_out_channels: [Int]?
    var decoder_block_out_channels: [Int]?
    var num_encoder_blocks: [Int]?
    var num_decoder_blocks: [Int]?
    var scaling_factor: Float?
    var act_fn: String?
    var upsampling_scaling_factor: Int?
  }

  /// Reads the JSON of a `config.json`.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``.
  package init(json: Data, file: String) throws(GeneratorError) {
    let published = try decodeConfiguration(Published.self, json, file: file)
    encoderChannels = published.encoder_block_out_channels ?? [64, 64, 64, 64]
    decoderChannels = published.decoder_block_out_channels ?? [64, 64, 64, 64]
    encoderBlocks = published.num_encoder_blocks ?? [1, 3, 3, 3]
    decoderBlocks = published.num_decoder_blocks ?? [3, 3, 3, 1]
    latentChannels = published.latent_channels ?? 4
    scalingFactor = published.scaling_factor ?? 1
    let lists = [encoderChannels, decoderChannels, encoderBlocks, decoderBlocks]
    guard lists.allSatisfy({ (1...8).contains($0.count) && $0.count == encoderBlocks.count }),
      (encoderChannels + decoderChannels).allSatisfy({ (1...4096).contains($0) }),
      (encoderBlocks + decoderBlocks).allSatisfy({ (1...64).contains($0) }),
      Set(encoderChannels).count == 1, Set(decoderChannels).count == 1,
      (1...64).contains(latentChannels), scalingFactor.isFinite, scalingFactor > 0,
      published.act_fn ?? "relu" == "relu", published.upsampling_scaling_factor ?? 2 == 2
    else {
      throw GeneratorError(.badConfiguration, "\(file): not a tiny autoencoder this program knows")
    }
  }
}

/// A convolution, a residual block, a ReLU or an upsampling of a tiny autoencoder.
private enum TinyLayer: Sendable {
  case convolution(Convolution)
  case block([Convolution])
  case relu
  case upsample

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .convolution(let convolution): return convolution(x)
    case .block(let convolutions):
      var hidden = convolutions[0](x)
      for convolution in convolutions.dropFirst() { hidden = convolution(activate(hidden, .relu)) }
      add(x, to: hidden)
      return activate(hidden, .relu)
    case .relu: return activate(x, .relu)
    case .upsample: return upsampleNearest(x, height: 2 * x.shape[1], width: 2 * x.shape[2])
    }
  }
}

/// An autoencoder with a hundredth of the full one's arithmetic, diffusers' `AutoencoderTiny`.
///
/// Ollin Boer Bohan, "Tiny AutoEncoder for Stable Diffusion", 2023.
package struct TinyAutoencoder: Sendable {
  /// The shape of the network.
  package let configuration: TinyAutoencoderConfiguration
  private let encoder: [TinyLayer]
  private let decoder: [TinyLayer]

  /// Reads `encoder.layers` and `decoder.layers`.
  package init(_ weights: WeightScope, configuration: TinyAutoencoderConfiguration) {
    self.configuration = configuration
    let plain = ConvolutionGeometry(kernel: 3, padding: 1)
    func block(_ scope: WeightScope, _ channels: Int) -> TinyLayer {
      .block(
        ["0", "2", "4"].map {
          Convolution(scope["conv"][$0], inputs: channels, outputs: channels)
        })
    }
    let (inner, outer) = (configuration.encoderChannels[0], configuration.decoderChannels[0])
    var layers: [TinyLayer] = []
    func next(_ part: String) -> WeightScope { weights[part]["layers"]["\(layers.count)"] }
    for (level, count) in configuration.encoderBlocks.enumerated() {
      layers.append(
        .convolution(
          level == 0
            ? Convolution(next("encoder"), inputs: 3, outputs: inner)
            : Convolution(
              next("encoder"), inputs: inner, outputs: inner,
              geometry: ConvolutionGeometry(kernel: 3, stride: 2, padding: 1), hasBias: false)))
      for _ in 0..<count { layers.append(block(next("encoder"), inner)) }
    }
    layers.append(
      .convolution(
        Convolution(
          next("encoder"), inputs: inner, outputs: configuration.latentChannels)))
    encoder = layers

    layers = []
    layers.append(
      .convolution(
        Convolution(next("decoder"), inputs: configuration.latentChannels, outputs: outer)))
    layers.append(.relu)
    for (level, count) in configuration.decoderBlocks.enumerated() {
      let isLast = level == configuration.decoderBlocks.count - 1
      for _ in 0..<count { layers.append(block(next("decoder"), outer)) }
      if !isLast { layers.append(.upsample) }
      layers.append(
        .convolution(
          Convolution(
            next("decoder"), inputs: outer, outputs: isLast ? 3 : outer, geometry: plain,
            hasBias: isLast)))
    }
    decoder = layers
  }

  /// `[batch, height, width, 3]` in −1…1 → latent, not scaled.
  package func encode(_ picture: Tensor) -> Tensor {
    let half = picture.values.map { ($0 + 1) / 2 }
    return encoder.reduce(picture.workspace.tensor(half, shape: picture.shape)) { $1($0) }
  }

  /// Latent, not scaled → `[batch, height, width, 3]` in about −1…1.
  package func decode(_ latent: Tensor) -> Tensor {
    let bounded = latent.values.map { 3 * tanh($0 / 3) }
    let picture = decoder.reduce(latent.workspace.tensor(bounded, shape: latent.shape)) { $1($0) }
    return picture.workspace.tensor(picture.values.map { $0 * 2 - 1 }, shape: picture.shape)
  }
}
