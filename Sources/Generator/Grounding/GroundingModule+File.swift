import Foundation

/// What a module's file says of it besides its tensors.
package struct GroundingMetadata: Sendable, Equatable {
  /// The words by which a module's file is known.
  package static let format = "groundwell-grounding-1"

  /// Hash of the base model that it was trained on, see ``Fingerprint``; nil for published ones.
  package var baseModel: String?
  /// The sentence that its queries were trained with.
  package var template: PromptTemplate
  /// The split it was trained on.
  package var split: String?
  /// How it was trained, in words.
  package var note: String?

  /// Creates metadata.
  package init(
    baseModel: String?, template: PromptTemplate, split: String? = nil, note: String? = nil
  ) {
    self.baseModel = baseModel
    self.template = template
    self.split = split
    self.note = note
  }
}

extension GroundingModule {
  /// Reads a module: one of ours, or the published one under its own names.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` when the file is of another format or version,
  ///   or a tensor is missing, misshapen, unknown or not finite; ``GeneratorError/Code/fileAccess``.
  package static func read(
    _ path: String, workspace: Workspace
  ) throws(GeneratorError) -> (module: GroundingModule, metadata: GroundingMetadata) {
    let file = try SafetensorsFile(path: path)
    let texts = try file.metadata()
    let (configuration, metadata) = try described(texts, file)
    let weights = WeightCollection(
      try file.weights(), name: path, workspace: workspace, files: [file.file])
    let module = GroundingModule(ParameterMaker(weights), configuration: configuration)
    try weights.finish()
    return (module, metadata)
  }

  private static func described(
    _ texts: [String: String], _ file: SafetensorsFile
  ) throws(GeneratorError) -> (GroundingConfiguration, GroundingMetadata) {
    let path = file.file.path
    guard let format = texts["format"], format != "pt" else {
      // Written by the converter or by hand: the published module has no description of itself.
      guard file.entries["transfromer_decoder.layers.0.self_attn.in_proj_weight"] != nil else {
        throw GeneratorError(
          .badCheckpoint,
          "\(path): neither a module of the format '\(GroundingMetadata.format)' nor the "
            + "published one")
      }
      return (
        .published, GroundingMetadata(baseModel: nil, template: .standard)
      )
    }
    guard format == GroundingMetadata.format else {
      throw GeneratorError(
        .badCheckpoint,
        "\(path): format '\(format.prefix(40))'; expected '\(GroundingMetadata.format)'")
    }
    let configuration: GroundingConfiguration
    do {
      configuration = try JSONDecoder().decode(
        GroundingConfiguration.self, from: Data((texts["configuration"] ?? "").utf8))
    } catch {
      throw GeneratorError(.badCheckpoint, "\(path): no configuration in it", cause: error)
    }
    try configuration.validate(file: path)
    let metadata = GroundingMetadata(
      baseModel: texts["base_model"],
      template: try texts["template"].map { text throws(GeneratorError) in
        try PromptTemplate(text)
      } ?? .standard,
      split: texts["split"], note: texts["note"])
    return (configuration, metadata)
  }

  /// Writes the module.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess``.
  package func write(
    _ metadata: GroundingMetadata, precision: SafetensorsWriter.Precision = .float16,
    to path: String
  ) throws(GeneratorError) {
    try SafetensorsWriter.write(
      tensors, metadata: texts(metadata), precision: precision, to: path)
  }

  /// Parameters and buffers by name, in order.
  package var tensors: [(name: String, value: Tensor)] {
    parameters.map { ($0.name, $0.value) } + buffers
  }

  /// The metadata of a file.
  package func texts(_ metadata: GroundingMetadata) throws(GeneratorError) -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var texts = ["format": GroundingMetadata.format, "template": metadata.template.text]
    do {
      texts["configuration"] = String(decoding: try encoder.encode(configuration), as: UTF8.self)
    } catch {
      throw GeneratorError(.fileAccess, "cannot write a configuration", cause: error)
    }
    texts["base_model"] = metadata.baseModel
    texts["split"] = metadata.split
    texts["note"] = metadata.note
    return texts
  }
}

extension GroundingMetadata {
  /// Checks that a module belongs to a base model.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` with both fingerprints.
  package func check(baseModel fingerprint: String, file: String) throws(GeneratorError) {
    guard let baseModel, baseModel != fingerprint else { return }
    throw GeneratorError(
      .badCheckpoint,
      "\(file): trained on the model \(baseModel), this one is \(fingerprint); "
        + "name that model with --model, or train a module for this one")
  }
}
