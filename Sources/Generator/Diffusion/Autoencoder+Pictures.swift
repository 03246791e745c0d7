package import Schema
import Foundation

/// The autoencoder of a model: the full one, or a tiny one in its place.
package struct Autoencoder: Sendable {
  private enum Kind: Sendable {
    case full(AutoencoderEncoder, AutoencoderDecoder, AutoencoderConfiguration)
    case tiny(TinyAutoencoder)
  }

  private let kind: Kind
  private let workspace: Workspace

  /// Loads the `vae` of a model directory, whichever kind it is.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``, ``GeneratorError/Code/badCheckpoint``,
  ///   ``GeneratorError/Code/fileAccess``.
  package init(directory: ModelDirectory, workspace: Workspace) throws(GeneratorError) {
    struct ClassName: Decodable { let _class_name: String? }
    let (json, file) = try directory.configuration(.autoencoder)
    let name = try decodeConfiguration(ClassName.self, json, file: file)._class_name
    let weights = try directory.weights(.autoencoder, workspace: workspace)
    self.workspace = workspace
    switch name ?? "AutoencoderKL" {
    case "AutoencoderKL":
      let configuration = try AutoencoderConfiguration(json: json, file: file)
      kind = .full(
        AutoencoderEncoder(weights.root, configuration: configuration),
        AutoencoderDecoder(weights.root, configuration: configuration), configuration)
    case "AutoencoderTiny":
      let configuration = try TinyAutoencoderConfiguration(json: json, file: file)
      kind = .tiny(TinyAutoencoder(weights.root, configuration: configuration))
    case let other:
      throw GeneratorError(
        .badConfiguration,
        "\(file): unknown class '\(other)'; expected 'AutoencoderKL' or 'AutoencoderTiny'")
    }
    try weights.finish()
  }

  /// Channels of the latent.
  package var latentChannels: Int {
    switch kind {
    case .full(_, _, let configuration): configuration.latentChannels
    case .tiny(let tiny): tiny.configuration.latentChannels
    }
  }

  /// Pixels along one side of a latent's pixel.
  package var downsampling: Int {
    switch kind {
    case .full(_, _, let configuration): configuration.downsampling
    case .tiny(let tiny): 1 << (tiny.configuration.encoderBlocks.count - 1)
    }
  }

  /// A picture as a latent of the U-Net: the mean of the encoder's distribution, scaled.
  package func encode(_ picture: RGBImage) -> Tensor {
    let values = picture.pixels.map { Float($0) / 127.5 - 1 }
    return encoded(workspace.tensor(values, shape: [1, picture.height, picture.width, 3]))
  }

  /// `[batch, height, width, 3]` in −1…1 as latents of the U-Net.
  package func encoded(_ x: Tensor) -> Tensor {
    switch kind {
    case .full(let encoder, _, let configuration):
      let moments = encoder(x)
      let mean = moments.values.enumerated()
        .filter { $0.offset % (2 * latentChannels) < latentChannels }
        .map { $0.element * configuration.scalingFactor }
      return workspace.tensor(mean, shape: moments.shape.dropLast() + [latentChannels])
    case .tiny(let tiny):
      let latent = tiny.encode(x)
      return combine(tiny.configuration.scalingFactor, latent, 0, latent)
    }
  }

  /// The pictures of latents of the U-Net, one at a time to bound the memory.
  package func decode(_ latent: Tensor) -> [RGBImage] {
    (0..<latent.shape[0]).map { index in
      let x = decoded(latent.slice(index..<index + 1))
      let pixels = x.values.map(Self.pixel)
      return RGBImage(width: x.shape[2], height: x.shape[1], pixels: pixels)
    }
  }

  /// A latent of the U-Net, `[1, height, width, channels]`, as `[1, 8·height, 8·width, 3]` in about
  /// −1…1.
  package func decoded(_ latent: Tensor) -> Tensor {
    switch kind {
    case .full(_, let decoder, let configuration):
      Self.decode(
        combine(1 / configuration.scalingFactor, latent, 0, latent), decoder, configuration)
    case .tiny(let tiny):
      tiny.decode(combine(1 / tiny.configuration.scalingFactor, latent, 0, latent))
    }
  }

  /// −1…1 to 0…255; what is not a number becomes 0.
  private static func pixel(_ value: Float) -> UInt8 {
    let scaled = ((value + 1) * 127.5).rounded(.toNearestOrEven)
    return scaled > 0 ? UInt8(min(scaled, 255)) : 0
  }

  /// Decodes a latent, in tiles where it is larger than the model was trained on.
  static func decode(
    _ latent: Tensor, _ decoder: AutoencoderDecoder, _ configuration: AutoencoderConfiguration
  ) -> Tensor {
    let side = configuration.sampleSize / configuration.downsampling
    guard max(latent.shape[1], latent.shape[2]) > side else { return decoder(latent) }
    return AutoencoderTiling.decode(
      latent, tileSide: side, pixelSide: configuration.sampleSize, decode: { decoder($0) })
  }
}
