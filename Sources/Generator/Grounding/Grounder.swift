import Foundation

/// A base model with a grounding module that belongs to it.
package struct Grounder {
  /// The base model.
  package let model: DiffusionModel
  /// The module.
  package let module: GroundingModule
  /// What its file says.
  package let metadata: GroundingMetadata
  /// Queries that stand in for those of the text encoder, by category.
  private var tokens: [String: Tensor] = [:]

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

  /// The module that an option names: a file, or one of those that come with a model by its name,
  /// such as `stickers-2`; the model's first when nil.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess`` with the names there are.
  package static func modulePath(
    _ option: String?, _ directory: ModelDirectory
  ) throws(GeneratorError) -> String {
    let folder = directory.path + "/grounding"
    if let option, option.contains("/") || option.contains(".") { return option }
    let names = names(in: folder)
    if let name = option ?? names.first, names.contains(name) {
      return "\(folder)/\(name).safetensors"
    }
    let choice =
      names.isEmpty
      ? "there is none in \(folder)" : "\(folder) has \(names.joined(separator: ", "))"
    throw GeneratorError(
      .fileAccess,
      "\(option.map { "no module '\($0.prefix(80))'" } ?? "no module for this model"): \(choice); "
        + "name a file with --module, or train one with 'groundwell-generator train'")
  }

  /// The modules of a folder by name, `module` before all others.
  private static func names(in folder: String) -> [String] {
    let files: [String]
    do {
      files = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      return []
    }
    let names = files.filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(12)) }
    return names.sorted { ($0 == "module" ? 0 : 1, $0) < ($1 == "module" ? 0 : 1, $1) }
  }

  /// The same with categories' queries replaced by tuned ones, each a file.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` when the token was tuned on another model or
  ///   module, and what ``CategoryToken/init(path:textChannels:workspace:)`` throws.
  package func adding(tokens paths: [String]) throws(GeneratorError) -> Grounder {
    guard !paths.isEmpty else { return self }
    // Both read all weights: once, not for every file.
    let own = (
      try Fingerprint.model(model.directory, workspace: model.workspace), module.fingerprint
    )
    var changed = self
    for path in paths {
      let token = try CategoryToken(
        path: path, textChannels: module.configuration.textChannels, workspace: model.workspace)
      guard (token.baseModel, token.module) == own else {
        throw GeneratorError(
          .badCheckpoint,
          "\(path): tuned for model \(token.baseModel.prefix(40)) and module "
            + "\(token.module.prefix(40)), these are \(own.0) and \(own.1); tune it again with "
            + "tune-token")
      }
      changed.tokens[token.category] = token.query
    }
    return changed
  }

  /// The queries of categories, `[categories, textChannels]`: tuned where there is a token for one,
  /// else from the text encoder.
  ///
  /// - Throws: what ``DiffusionModel/categoryEmbeddings(_:template:)`` throws.
  package func queries(_ categories: [String]) throws(GeneratorError) -> Tensor {
    let queries = try model.categoryEmbeddings(categories, template: metadata.template)
    for (row, category) in categories.enumerated() {
      if let token = tokens[category] {
        copyValues(of: token, to: queries.slice(row..<row + 1))
      }
    }
    return queries
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
    let queries = try self.queries(categories)
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
