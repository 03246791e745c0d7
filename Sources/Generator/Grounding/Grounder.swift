/// A base model with a grounding module that belongs to it.
package struct Grounder {
  /// The base model.
  package let model: DiffusionModel
  /// The module.
  package let module: GroundingModule
  /// What its file says.
  package let metadata: GroundingMetadata

  /// Reads a module for a model.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` when the file is no module, or one for another
  ///   model; ``GeneratorError/Code/fileAccess``.
  package init(model: DiffusionModel, path: String) throws(GeneratorError) {
    self.model = model
    (module, metadata) = try GroundingModule.read(path, workspace: model.workspace)
    try module.configuration.check(fits: model.unet.configuration, file: path)
    if metadata.baseModel != nil {
      try metadata.check(
        baseModel: Fingerprint.model(model.directory, workspace: model.workspace), file: path)
    }
  }

  /// Where a model keeps its module unless another is named.
  package static func standardPath(_ directory: ModelDirectory) -> String {
    directory.path + "/grounding/module.safetensors"
  }

  /// Probabilities `[categories, height, width, 1]` at the size of the latent's picture.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, latentChannels]`.
  ///   - prompt: what the picture shows; made of the categories when nil.
  /// - Throws: ``GeneratorError/Code/invalidArgument``.
  package func probabilities(
    latent: Tensor, categories: [String], prompt: String? = nil, seed: UInt64 = 0
  ) throws(GeneratorError) -> Tensor {
    let queries = try model.categoryEmbeddings(categories, template: metadata.template)
    // Not the whole sentence for many: what is beyond the encoder's length would be cut.
    let text = prompt ?? metadata.template.prompt(categories.joined(separator: " and a "))
    let features = try model.features(
      of: latent, prompts: [text], seeds: [seed], configuration: module.configuration)
    let side = model.autoencoder.downsampling
    return module.probabilities(
      features, queries: [queries], height: latent.shape[1] * side,
      width: latent.shape[2] * side)
  }

  /// The size at which a picture is looked at: the shorter side as the model was trained, the
  /// proportions kept, both sides such that the U-Net can halve them.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` for pictures that are too narrow.
  package func workingSize(width: Int, height: Int) throws(GeneratorError) -> (
    width: Int, height: Int
  ) {
    let unit = model.autoencoder.downsampling << (model.unet.configuration.blockChannels.count - 1)
    let native = model.unet.configuration.sampleSize * model.autoencoder.downsampling
    let shorter = min(width, height)
    guard shorter > 0 else {
      throw GeneratorError(.invalidArgument, "a picture of \(width)x\(height)")
    }
    func rounded(_ length: Int) -> Int {
      max(1, (length * native / shorter + unit / 2) / unit) * unit
    }
    let size = (width: rounded(width), height: rounded(height))
    guard max(size.width, size.height) <= 8 * native else {
      throw GeneratorError(
        .invalidArgument,
        "a picture of \(width)x\(height); its longer side may be 8 times the shorter at most")
    }
    return size
  }
}

/// Probabilities `[categories, height, width, 1]` at another size, by linear interpolation.
func resizedProbabilities(_ x: Tensor, height: Int, width: Int) -> Tensor {
  let tape = Tape(isRecording: false)
  return tape.resize(tape.constant(x), height: height, width: width).value
}
