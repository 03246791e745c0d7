import Foundation

/// A latent text-to-image diffusion model, ready to draw.
///
/// Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022.
package struct DiffusionModel: Sendable {
  /// Prompts to token numbers.
  package let tokenizer: Tokenizer
  /// Token numbers to embeddings.
  package let textEncoder: TextEncoder
  /// Predicts the noise.
  package let unet: UNet
  /// Latents to pictures and back.
  package let autoencoder: Autoencoder
  /// Where activations live.
  package let workspace: Workspace
  /// Where the model came from.
  package let directory: ModelDirectory
  private let textFiles: [MappedFile]
  private let unetFiles: [MappedFile]

  /// Loads a model.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``, ``GeneratorError/Code/badCheckpoint``,
  ///   ``GeneratorError/Code/fileAccess``.
  package init(directory: ModelDirectory, workspace: Workspace) throws(GeneratorError) {
    self.directory = directory
    self.workspace = workspace
    tokenizer = try Tokenizer(directory: directory.path + "/tokenizer")
    (textEncoder, textFiles) = try Self.textEncoder(directory, workspace)
    guard tokenizer.vocabularySize <= textEncoder.configuration.vocabularySize else {
      throw GeneratorError(
        .badConfiguration,
        "\(directory.path): the tokenizer has \(tokenizer.vocabularySize) tokens, the text encoder "
          + "\(textEncoder.configuration.vocabularySize)")
    }
    (unet, unetFiles) = try Self.unet(directory, workspace)
    guard unet.configuration.contextChannels == textEncoder.configuration.width else {
      throw GeneratorError(
        .badConfiguration,
        "\(directory.path): the text encoder gives \(textEncoder.configuration.width) channels, "
          + "the U-Net needs \(unet.configuration.contextChannels)")
    }
    autoencoder = try Autoencoder(directory: directory, workspace: workspace)
    guard autoencoder.latentChannels == unet.configuration.latentChannels else {
      throw GeneratorError(
        .badConfiguration,
        "\(directory.path): the autoencoder has \(autoencoder.latentChannels) latent channels, "
          + "the U-Net \(unet.configuration.latentChannels)")
    }
  }

  private static func textEncoder(
    _ directory: ModelDirectory, _ workspace: Workspace
  ) throws(GeneratorError) -> (TextEncoder, [MappedFile]) {
    let (json, file) = try directory.configuration(.textEncoder)
    let configuration = try TextEncoderConfiguration(json: json, file: file)
    let weights = try directory.weights(.textEncoder, workspace: workspace)
    let encoder = TextEncoder(weights.root, configuration: configuration)
    try weights.finish()
    return (encoder, weights.files)
  }

  private static func unet(
    _ directory: ModelDirectory, _ workspace: Workspace
  ) throws(GeneratorError) -> (UNet, [MappedFile]) {
    let (json, file) = try directory.configuration(.unet)
    let configuration = try UNetConfiguration(json: json, file: file)
    let weights = try directory.weights(.unet, workspace: workspace)
    let unet = UNet(weights.root, configuration: configuration)
    try weights.finish()
    return (unet, weights.files)
  }

  /// The embeddings of prompts, `[prompts, length, width]`, and which of them were cut.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument``.
  package func embed(
    _ prompts: [String]
  ) throws(GeneratorError) -> (embedding: Tensor, truncated: [String]) {
    let length = textEncoder.configuration.length
    var (tokens, truncated): ([[Int32]], [String]) = ([], [])
    for prompt in prompts {
      let encoding = try tokenizer.encode(prompt, length: length)
      tokens.append(encoding.tokens)
      if encoding.isTruncated { truncated.append(prompt) }
    }
    defer { for file in textFiles { file.forget() } }
    return (textEncoder(tokens), truncated)
  }

  /// Gives back the memory that only the U-Net needs: its buffers, and the pages of its weights that
  /// lie in files, which the next evaluation reads again from the page cache.
  func releaseUNetMemory() {
    workspace.trim()
    for file in unetFiles { file.forget() }
  }

  /// Where `phrase` stands in `prompt`, see ``Tokenizer/positions(of:in:length:)``.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument``.
  package func positions(of phrase: String, in prompt: String) throws(GeneratorError) -> [[Int]] {
    try tokenizer.positions(of: phrase, in: prompt, length: textEncoder.configuration.length)
  }

  /// A prompt from bytes of outside.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` when they are not UTF-8 or too many.
  package static func prompt(_ bytes: [UInt8]) throws(GeneratorError) -> String {
    guard bytes.count <= Tokenizer.maximumPromptBytes else {
      throw GeneratorError(
        .invalidArgument,
        "a prompt of \(bytes.count) bytes; at most \(Tokenizer.maximumPromptBytes) are allowed")
    }
    guard let prompt = String(validating: bytes, as: UTF8.self) else {
      throw GeneratorError(.invalidArgument, "a prompt is not valid UTF-8")
    }
    return prompt
  }
}
