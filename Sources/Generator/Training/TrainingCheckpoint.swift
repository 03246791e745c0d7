import Foundation
package import Schema

/// Where a training run stands, besides its tensors.
package struct TrainingProgress: Codable, Sendable, Equatable {
  /// What is computed.
  package var options: TrainingOptions
  /// Steps done.
  package var step = 0
  /// Batches read; some hold nothing to train on.
  package var nextBatch = 0
  /// Losses and masks since the last line of the history.
  package var lossSum = 0.0
  /// See ``lossSum``.
  package var lossCount = 0
  /// What was measured.
  package var history: [TrainingRecord] = []
  /// Identity of the source of examples.
  package var source: String
  /// The stream to go on with, where there is one.
  package var token: ResumeToken?

  /// The start of a run.
  package init(options: TrainingOptions, source: String, token: ResumeToken? = nil) {
    self.options = options
    self.source = source
    self.token = token
  }
}

/// A run's state as a file: the module, the optimiser's moments, and how far it is.
package enum TrainingCheckpoint {
  /// The words by which a checkpoint is known.
  package static let format = "groundwell-training-1"

  /// Writes a checkpoint; the one before stays until the new one is complete.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess``.
  package static func write(
    _ module: GroundingModule, _ optimizer: Adam, _ progress: TrainingProgress,
    _ metadata: GroundingMetadata, to path: String
  ) throws(GeneratorError) {
    var tensors = module.tensors
    for (index, parameter) in module.parameters.enumerated() {
      tensors.append(("adam.first.\(parameter.name)", optimizer.first[index]))
      tensors.append(("adam.second.\(parameter.name)", optimizer.second[index]))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var texts = try module.texts(metadata)
    texts["format"] = format
    do {
      texts["progress"] = String(decoding: try encoder.encode(progress), as: UTF8.self)
    } catch {
      throw GeneratorError(.fileAccess, "\(path): cannot write the progress", cause: error)
    }
    try SafetensorsWriter.write(tensors, metadata: texts, to: path)
  }

  /// Reads a checkpoint.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` when it is of another format, or anything in it
  ///   is missing, misshapen or not finite; ``GeneratorError/Code/fileAccess``.
  package static func read(
    _ path: String, workspace: Workspace
  ) throws(GeneratorError) -> (
    module: GroundingModule, optimizer: Adam, progress: TrainingProgress,
    metadata: GroundingMetadata
  ) {
    let file = try SafetensorsFile(path: path)
    let texts = try file.metadata()
    guard texts["format"] == format else {
      throw GeneratorError(
        .badCheckpoint,
        "\(path): format '\(texts["format"]?.prefix(40) ?? "")'; expected '\(format)'")
    }
    let progress: TrainingProgress
    let configuration: GroundingConfiguration
    do {
      progress = try JSONDecoder().decode(
        TrainingProgress.self, from: Data((texts["progress"] ?? "").utf8))
      configuration = try JSONDecoder().decode(
        GroundingConfiguration.self, from: Data((texts["configuration"] ?? "").utf8))
    } catch {
      throw GeneratorError(.badCheckpoint, "\(path): no progress in it", cause: error)
    }
    try configuration.validate(file: path)
    try progress.options.validate()
    let weights = WeightCollection(
      try file.weights(), name: path, workspace: workspace, files: [file.file])
    let module = GroundingModule(ParameterMaker(weights), configuration: configuration)
    func moments(_ name: String) -> [Tensor] {
      module.parameters.map { weights.root.tensor("adam.\(name).\($0.name)", $0.value.shape) }
    }
    let (first, second) = (moments("first"), moments("second"))
    try weights.finish()
    let optimizer = Adam(
      parameters: module.parameters, learningRate: progress.options.learningRate,
      stepCount: progress.step, first: first, second: second)
    let metadata = GroundingMetadata(
      baseModel: texts["base_model"], template: try PromptTemplate(progress.options.template),
      split: texts["split"], note: texts["note"])
    return (module, optimizer, progress, metadata)
  }
}
