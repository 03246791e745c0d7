import ArgumentParser
import Foundation
import Imaging
import Schema
import Wire

/// `groundwell-generator train`.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains a grounding module on masks of a split's seen categories.",
    discussion: """
      An ordinary client of the daemon: it streams balanced batches of the seen categories and asks \
      for no mask of any other. In the folder --out it writes module.safetensors, \
      checkpoint.safetensors, loss.png and history.csv. A run that was stopped goes on with \
      --resume and ends with the same bytes as one that was not.
      """)

  @Option(help: "The split: a name, or a file that ends in .json.")
  var split: String

  @Option(help: "Directory of the base model in the layout of diffusers; stickers comes along.")
  var model = ShareLocation.shippedModel

  @Option(
    help: ArgumentHelp(
      "The daemon's socket (default: $GROUNDWELL_SOCKET, else the daemon's own default)."))
  var socket: String?

  @Option(name: [.customLong("out"), .customShort("o")], help: "Folder for what is written.")
  var output: String

  @Option(help: "normal trusts empty masks, without-zero-masks leaves them out.")
  var strategy = TrainingStrategy.withoutZeroMasks.rawValue

  @Option(help: "The chance that a mask is dropped, as a detector would overlook it.")
  var simulateMisses = 0.0

  @Option(help: "bce, dice or bce+dice.")
  var loss = MaskLoss.crossEntropy.rawValue

  @Option(help: "Steps in all.")
  var steps = TrainingOptions(split: "").steps

  @Option(help: "Pictures of a step.")
  var batch = TrainingOptions(split: "").batchSize

  @Option(help: "Adam's step length.")
  var learningRate = TrainingOptions(split: "").learningRate

  @Option(help: "The share of the steps, at the end, over which the step length falls to nothing.")
  var decayShare = 0.4

  @Option(help: "Decides weights, order, noise and dropped masks.")
  var seed: UInt64 = 0

  @Option(help: "The training timestep of the features; the configuration's own when left out.")
  var timestep: Int?

  @Option(help: "Pixels along a side of the pictures; what the model was trained on when left out.")
  var imageSize: Int?

  @Option(help: "The sentence of the queries, with {} for the name.")
  var template = PromptTemplate.standard.text

  @Option(help: "Train on the first so many of the seen categories alone.")
  var seenCount: Int?

  @Option(help: "Train on the first so many pictures of the stream, over and over; all by default.")
  var pictures: Int?

  @Option(
    help: "Use features of this level alone, 0 being the coarsest; give it again for more.")
  var level: [Int] = []

  @Option(
    help: ArgumentHelp(
      "Folder that keeps features, so that each picture passes through the U-Net once.",
      discussion: """
        Every epoch then sees a picture with the same noise. A run that began with a cache goes on \
        with one, though it may be another.
        """))
  var featureCache: String?

  @Option(help: "Gigabytes (2^30 bytes) that --feature-cache may take; 0 keeps nothing.")
  var featureCacheGigabytes = 8

  @Option(help: "Steps from one validation and checkpoint to the next.")
  var checkpointEvery = TrainingOptions(split: "").validationInterval

  @Flag(help: "Go on from the checkpoint in --out.")
  var resume = false

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  func validate() throws {
    guard TrainingStrategy(rawValue: strategy) != nil else {
      let names = TrainingStrategy.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--strategy is '\(strategy)'; expected one of \(names)")
    }
    guard MaskLoss(rawValue: loss) != nil else {
      let names = MaskLoss.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--loss is '\(loss)'; expected one of \(names)")
    }
    guard (1...Split.maximumCategories).contains(seenCount ?? 1) else {
      throw ValidationError("--seen-count is \(seenCount ?? 0); expected 1 or more")
    }
    guard (0...1 << 20).contains(featureCacheGigabytes) else {
      throw ValidationError(
        "--feature-cache-gigabytes is \(featureCacheGigabytes); expected 0 to \(1 << 20)")
    }
    guard (1...1024).contains(threads) else {
      throw ValidationError("--threads is \(threads); expected 1 to 1024")
    }
  }

  func run() throws {
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    let trainer = try makeTrainer()
    let checkpoint = "\(output)/checkpoint.safetensors"
    if !resume { try trainer.save(to: checkpoint) }
    let progress = ProgressLine(total: 1)
    while !trainer.isFinished {
      let record = try trainer.step()
      progress.show(
        done: 0, step: trainer.progress.step, steps: trainer.progress.options.steps)
      guard let record else { continue }
      try trainer.save(to: checkpoint)
      try write(trainer)
      print(
        "step \(record.step): loss \(Self.text(record.loss)), "
          + "validation mIoU \(Self.text(record.validation))")
      fflush(nil)
    }
    progress.end()
    if let failure = trainer.cache?.failure {
      FileHandle.standardError.write(Data("features were not all kept: \(failure.message)\n".utf8))
    }
    try write(trainer)
    print("\(output)/module.safetensors: \(trainer.module.parameterCount) parameters")
  }

  private func makeTrainer() throws -> Trainer {
    let environment = ProcessInfo.processInfo.environment
    let split = try Split.named(
      split,
      folder: ShareLocation.splits(
        environment: environment, programFolder: ShareLocation.programFolder()))
    let directory = try ModelDirectory.named(model)
    let model = try DiffusionModel(
      directory: directory, workspace: Workspace(threadCount: threads))
    let fingerprint = try Fingerprint.model(directory, workspace: model.workspace)
    let socketPath = socket ?? SocketPath.standard(environment: environment)
    let seen = Array(split.seen.prefix(seenCount ?? split.seen.count))
    let side =
      imageSize ?? model.unet.configuration.sampleSize * model.autoencoder.downsampling
    guard resume else {
      let source = try StreamSource(
        socketPath: socketPath, categories: seen, batchSize: batch, imageSize: side,
        seed: Int64(seed & 0xFFFF_FFFF))
      var configuration = try GroundingConfiguration(
        for: model.unet.configuration, timestep: timestep)
      if !level.isEmpty { configuration.usedLevels = level }
      try configuration.validate(file: "--level")
      return try Trainer(
        model: model, configuration: configuration, source: source, options: options(split),
        token: source.token, baseModel: fingerprint, cache: cache(fingerprint))
    }
    let file = "\(output)/checkpoint.safetensors"
    let kept = try TrainingCheckpoint.read(file, workspace: model.workspace)
    try kept.metadata.check(baseModel: fingerprint, file: file)
    let source = try StreamSource(
      socketPath: socketPath, categories: seen, batchSize: kept.progress.options.batchSize,
      imageSize: side,
      seed: 0, resume: kept.progress.token)
    return try Trainer(
      model: model, module: kept.module, optimizer: kept.optimizer, progress: kept.progress,
      metadata: kept.metadata, source: source, cache: cache(fingerprint))
  }

  private func cache(_ fingerprint: String) throws(GeneratorError) -> FeatureCache? {
    try featureCache.map { folder throws(GeneratorError) in
      try FeatureCache(
        folder: folder, baseModel: fingerprint, maximumBytes: featureCacheGigabytes << 30)
    }
  }

  private func options(_ split: Split) -> TrainingOptions {
    var options = TrainingOptions(split: split.name)
    options.strategy = TrainingStrategy(rawValue: strategy) ?? options.strategy
    options.simulatedMisses = simulateMisses
    options.loss = MaskLoss(rawValue: loss) ?? options.loss
    (options.steps, options.batchSize) = (steps, batch)
    (options.learningRate, options.seed) = (learningRate, seed)
    (options.template, options.validationInterval) = (template, checkpointEvery)
    options.keepsFeatures = featureCache != nil
    (options.pictures, options.decayShare) = (pictures, decayShare)
    return options
  }

  private func write(_ trainer: Trainer) throws {
    try trainer.module.write(trainer.metadata, to: "\(output)/module.safetensors")
    let history = trainer.progress.history
    guard !history.isEmpty else { return }
    try PNG.write(trainer.progress.plot(), to: "\(output)/loss.png")
    let lines = history.map { "\($0.step),\($0.loss),\($0.validation)" }
    let table = (["step,loss,validation"] + lines).joined(separator: "\n") + "\n"
    try Data(table.utf8).write(to: URL(fileURLWithPath: "\(output)/history.csv"))
  }

  private static func text(_ value: Double) -> String { String(format: "%.4f", value) }
}
