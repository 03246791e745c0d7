package import Schema

/// Trains a ``GroundingModule`` on examples of a source, with a frozen base model.
///
/// Everything it computes follows from its options, its source and how far it is, so that a run that
/// goes on from a checkpoint ends with the same bytes as one that was never interrupted.
package final class Trainer {
  /// The module.
  package let module: GroundingModule
  /// How far the run is.
  package private(set) var progress: TrainingProgress
  /// What the module's file will say.
  package let metadata: GroundingMetadata
  private let optimizer: Adam
  private let model: DiffusionModel
  private let source: any TrainingSource
  private let template: PromptTemplate
  private let misses: MissSimulator
  /// Where features are kept, if they are.
  package let cache: FeatureCache?
  private let embeddings: [CategoryName: Tensor]
  private var validation: [TrainingExample] = []

  /// Where the last checkpoint was written, for messages.
  private var lastCheckpoint: (path: String, step: Int)?

  /// One picture's share of a step.
  private struct Item {
    let example: TrainingExample
    let masks: [(category: CategoryName, mask: BinaryMask?)]
  }

  /// Starts a run.
  ///
  /// - Throws: ``GeneratorError`` when the options are outside their ranges, or a category has no
  ///   tokens.
  package convenience init(
    model: DiffusionModel, configuration: GroundingConfiguration, source: any TrainingSource,
    options: TrainingOptions, token: ResumeToken? = nil, baseModel: String?,
    cache: FeatureCache? = nil
  ) throws(GeneratorError) {
    try options.validate()
    let module = GroundingModule(
      configuration: configuration, seed: options.seed, workspace: model.workspace)
    let metadata = GroundingMetadata(
      baseModel: baseModel, template: try PromptTemplate(options.template), split: options.split,
      note: "\(options.strategy.rawValue), \(options.steps) steps, seed \(options.seed)")
    try self.init(
      model: model, module: module,
      optimizer: Adam(parameters: module.parameters, learningRate: options.learningRate),
      progress: TrainingProgress(options: options, source: source.identity, token: token),
      metadata: metadata, source: source, cache: cache)
  }

  /// Goes on with a run.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` when the source gives other examples than the
  ///   run began with, and what the other initialiser throws.
  package init(
    model: DiffusionModel, module: GroundingModule, optimizer: Adam, progress: TrainingProgress,
    metadata: GroundingMetadata, source: any TrainingSource, cache: FeatureCache? = nil
  ) throws(GeneratorError) {
    self.cache = cache
    guard progress.source == source.identity else {
      throw GeneratorError(
        .badCheckpoint,
        "the checkpoint's run reads the examples \(progress.source), this source gives "
          + "\(source.identity); open the stream of its resume token")
    }
    guard (progress.options.keepsFeatures ?? false) == (cache != nil) else {
      throw GeneratorError(
        .badCheckpoint,
        cache == nil
          ? "the checkpoint's run keeps features; go on with --feature-cache"
          : "the checkpoint's run keeps no features; go on without --feature-cache")
    }
    try module.configuration.check(fits: model.unet.configuration, file: "the module")
    (self.model, self.module, self.optimizer) = (model, module, optimizer)
    (self.progress, self.metadata, self.source) = (progress, metadata, source)
    let options = progress.options
    template = try PromptTemplate(options.template)
    misses = MissSimulator(probability: options.simulatedMisses, seed: options.seed)
    let names = source.categories
    let rows = try model.categoryEmbeddings(names.map(\.text), template: template)
    embeddings = Dictionary(
      uniqueKeysWithValues: names.enumerated().map { ($1, rows.slice($0..<$0 + 1)) })
  }

  /// Whether all steps are done.
  package var isFinished: Bool { progress.step >= progress.options.steps }

  /// Writes a checkpoint.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess``.
  package func save(to path: String) throws(GeneratorError) {
    try TrainingCheckpoint.write(module, optimizer, progress, metadata, to: path)
    lastCheckpoint = (path, progress.step)
  }

  /// Takes one step, and measures where it is time to.
  ///
  /// - Returns: the new line of the history, if there is one.
  /// - Throws: ``GeneratorError/Code/diverged`` when the loss or a gradient is not a number, with the
  ///   step, the triplets and the last checkpoint; the module is as it was before the step.
  package func step() throws(GeneratorError) -> TrainingRecord? {
    let items = try nextItems()
    let (losses, norm) = try update(items)
    guard losses.allSatisfy(\.isFinite), norm.isFinite else {
      let triplets = items.map { "\($0.example.triplet)" }.joined(separator: ", ")
      let kept = lastCheckpoint.map { "\($0.path), step \($0.step)" } ?? "none"
      throw GeneratorError(
        .diverged,
        "step \(progress.step + 1): the loss or a gradient is not a number (loss "
          + "\(losses.reduce(0, +)), norm \(norm)); triplets \(triplets); last good checkpoint: "
          + "\(kept); try a smaller --learning-rate")
    }
    progress.step += 1
    progress.lossSum += losses.reduce(0, +)
    progress.lossCount += losses.count
    guard progress.step % progress.options.validationInterval == 0 || isFinished else {
      return nil
    }
    let record = TrainingRecord(
      step: progress.step, loss: progress.lossSum / Double(max(progress.lossCount, 1)),
      validation: try validationScore())
    progress.history.append(record)
    (progress.lossSum, progress.lossCount) = (0, 0)
    return record
  }

  /// Batches of the stream after which it begins again.
  private var batchCount: Int {
    progress.options.pictures.map { max(1, $0 / progress.options.batchSize) } ?? Int.max
  }

  /// The next batch that has something to train on.
  private func nextItems() throws(GeneratorError) -> [Item] {
    // A batch holds held-out pictures alone once in a long while, but never many times in a row.
    for _ in 0..<1000 {
      let examples = try source.batch(progress.nextBatch % batchCount)
      progress.nextBatch += 1
      let items = examples.filter { !$0.isHeldOut }.map(selected).filter { !$0.masks.isEmpty }
      if !items.isEmpty { return items }
    }
    throw GeneratorError(
      .invalidArgument, "1000 batches in a row hold no mask to train on; see --simulate-misses")
  }

  /// What is trained of an example: masks that the detector would have missed are empty, or left
  /// out.
  private func selected(_ example: TrainingExample) -> Item {
    var masks: [(category: CategoryName, mask: BinaryMask?)] = []
    for (category, mask) in example.masks {
      let isMissed = misses.misses(category, in: example.triplet)
      switch progress.options.strategy {
      case .normal: masks.append((category, isMissed ? nil : mask))
      case .withoutZeroMasks: if !isMissed { masks.append((category, mask)) }
      }
    }
    return Item(example: example, masks: masks)
  }

  /// Gradients of a batch and a step of the optimiser; nothing changes where they are not finite.
  private func update(_ items: [Item]) throws(GeneratorError) -> ([Double], Double) {
    let buffers = module.buffers.map { $0.value.copy() }
    let features = try self.features(items.map(\.example))
    let queries = try items.map { item throws(GeneratorError) in
      try self.queries(item.masks.map(\.category))
    }
    let side = (items[0].example.image.height, items[0].example.image.width)
    let tape = Tape(isRecording: true)
    let logits = tape.resize(
      module.logits(features, queries: queries, tape: tape, isTraining: true),
      height: side.0, width: side.1)
    var (targets, weights): ([Float], [Float]) = ([], [])
    for item in items {
      for (_, mask) in item.masks {
        targets += mask?.values.map { Float($0) } ?? item.example.counts.map { _ in 0 }
        weights += item.example.counts.map { Float($0) }
      }
    }
    let (loss, losses) = tape.maskLoss(
      logits, targets: model.workspace.tensor(targets, shape: logits.value.shape),
      weights: model.workspace.tensor(weights, shape: logits.value.shape),
      progress.options.loss, scale: 1 / Double(items.count))
    tape.backward(from: loss)
    let isFinite = losses.allSatisfy(\.isFinite)
    optimizer.learningRate =
      progress.options.learningRate * progress.options.rateFactor(step: progress.step)
    let norm =
      isFinite
      ? optimizer.step(clippedTo: progress.options.gradientLimit) : optimizer.gradientNorm
    if !isFinite || !norm.isFinite {
      for (buffer, kept) in zip(module.buffers, buffers) { copyValues(of: kept, to: buffer.value) }
    }
    return (losses, norm)
  }

  private func queries(_ categories: [CategoryName]) throws(GeneratorError) -> Tensor {
    let rows = try categories.map { category throws(GeneratorError) in
      guard let row = embeddings[category] else {
        throw GeneratorError(
          .invalidArgument, "the source gave a mask of '\(category)', which it does not list")
      }
      return row
    }
    return stackRows(rows, shape: [rows.count, module.configuration.textChannels])
  }

  private func features(_ examples: [TrainingExample]) throws(GeneratorError) -> DiffusionFeatures {
    guard let cache else {
      let base = MissSimulator.hash(UInt64(progress.step), progress.options.seed)
      return try computedFeatures(examples, seeds: examples.indices.map { base &+ UInt64($0) })
    }
    let parts = try examples.map { example throws(GeneratorError) in
      if let kept = cache.read(example, module.configuration, model.workspace) { return kept }
      // Alone, with noise of its own: the last bits must not depend on the pictures beside it.
      let seed = MissSimulator.hash(UInt64(bitPattern: example.triplet), 1)
      return cache.kept(
        try computedFeatures([example], seeds: [seed]), example, module.configuration)
    }
    return DiffusionFeatures(stacking: parts)
  }

  private func computedFeatures(
    _ examples: [TrainingExample], seeds: [UInt64]
  ) throws(GeneratorError) -> DiffusionFeatures {
    let image = examples[0].image
    let values = examples.flatMap { $0.image.pixels.map { Float($0) / 127.5 - 1 } }
    let latents = model.autoencoder.encoded(
      model.workspace.tensor(values, shape: [examples.count, image.height, image.width, 3]))
    return try model.features(
      of: latents, prompts: examples.map(\.prompt), seeds: seeds,
      configuration: module.configuration)
  }

  /// Mean intersection over union of the held-out pictures' masks, 0 where there are none.
  private func validationScore() throws(GeneratorError) -> Double {
    if validation.isEmpty { validation = try heldOut(progress.options.validationCount) }
    return try score(validation)
  }

  /// Mean intersection over union of the masks of examples, 0 where there are none.
  ///
  /// - Throws: ``GeneratorError``.
  package func score(_ validation: [TrainingExample]) throws(GeneratorError) -> Double {
    var scores: [Double] = []
    for first in stride(from: 0, to: validation.count, by: 16) {
      let examples = Array(validation[first..<min(first + 16, validation.count)])
      let image = examples[0].image
      let queries = try examples.map { example throws(GeneratorError) in
        try self.queries(example.masks.map(\.category))
      }
      let values = module.probabilities(
        try features(examples), queries: queries, height: image.height, width: image.width
      ).values
      var offset = 0
      for example in examples {
        for (_, mask) in example.masks {
          let found = values[offset..<offset + mask.values.count].map { UInt8($0 > 0.5 ? 1 : 0) }
          scores.append(MaskScore(found, mask.values, counts: example.counts).ratio)
          offset += mask.values.count
        }
      }
    }
    return scores.isEmpty ? 0 : scores.reduce(0, +) / Double(scores.count)
  }

  /// The first held-out pictures of the source, each once.
  private func heldOut(_ count: Int) throws(GeneratorError) -> [TrainingExample] {
    var found: [TrainingExample] = []
    var triplets: Set<Int64> = []
    // About one picture in twenty is held out.
    for k in 0..<max(8, 40 * count / max(progress.options.batchSize, 1)) {
      for example in try source.batch(k)
      where example.isHeldOut && triplets.insert(example.triplet).inserted {
        found.append(example)
      }
      if found.count >= count { break }
    }
    return Array(found.prefix(count))
  }
}
