import Foundation
import Schema
import TestSupport
import Testing

@testable import Generator

/// Whole training runs on a small random model.
@Suite(.serialized) struct TrainerTests {
  /// Pictures of a coloured shape per category, cat left and dog right of the middle, from memory.
  struct MemorySource: TrainingSource {
    let examples: [TrainingExample]
    let batchSize: Int
    var identity = "memory"
    let categories: [CategoryName]

    init(count: Int, batchSize: Int = 8, blank: Bool = false) throws {
      let names = try ["cat", "dog"].map { try CategoryName($0) }
      categories = names
      self.batchSize = batchSize
      // Numbers that no run holds out.
      let numbers = (1...).lazy.map(Int64.init).filter {
        !TrainingExample(
          triplet: $0, image: RGBImage(width: 1, height: 1, pixels: [0, 0, 0]), prompt: "",
          masks: [], counts: [1]
        ).isHeldOut
      }.prefix(count)
      examples = numbers.enumerated().map { index, triplet in
        Self.example(triplet, index, names, isBlank: blank)
      }
    }

    private static func example(
      _ triplet: Int64, _ index: Int, _ names: [CategoryName], isBlank: Bool
    ) -> TrainingExample {
      let side = 32
      var pixels = [UInt8](repeating: UInt8(60 + 10 * (index % 8)), count: side * side * 3)
      var masks: [(category: CategoryName, mask: BinaryMask)] = []
      for (place, name) in names.enumerated() where index % 3 != place {
        var values = [UInt8](repeating: 0, count: side * side)
        let (left, top) = (2 + 15 * place + index % 2, 4 + 2 * (index % 8))
        for row in top..<top + 12 {
          for column in left..<left + 12 {
            values[row * side + column] = isBlank ? 0 : 1
            let at = (row * side + column) * 3
            pixels[at + place] = 250
            pixels[at + 2] = 20
          }
        }
        masks.append((name, BinaryMask(width: side, height: side, values: values)))
      }
      return TrainingExample(
        triplet: triplet, image: RGBImage(width: side, height: side, pixels: pixels),
        prompt: "a photograph of a cat and a dog", masks: masks,
        counts: [UInt8](repeating: 1, count: side * side))
    }

    func batch(_ k: Int) throws(GeneratorError) -> [TrainingExample] {
      (0..<batchSize).map { examples[(k * batchSize + $0) % examples.count] }
    }
  }

  private func options(steps: Int) -> TrainingOptions {
    var options = TrainingOptions(split: "test")
    (options.steps, options.batchSize, options.learningRate) = (steps, 8, 3e-3)
    (options.validationInterval, options.seed) = (steps, 3)
    return options
  }

  private func trainer(
    _ source: any TrainingSource, _ options: TrainingOptions, cache: FeatureCache? = nil,
    levels: [Int]? = nil
  ) throws -> Trainer {
    let model = try DiffusionModel(
      directory: Fixtures.model("sd1"), workspace: Workspace(threadCount: 2))
    var configuration = try GroundingConfiguration(for: model.unet.configuration)
    (configuration.width, configuration.feedForward, configuration.detail) = (32, 64, 2)
    (configuration.layers, configuration.maskChannels) = (1, 16)
    // The random autoencoder's latents are small: more noise than at timestep 0 would hide them.
    configuration.timestep = 0
    configuration.usedLevels = levels
    return try Trainer(
      model: model, configuration: configuration, source: source, options: options,
      baseModel: "0123456789abcdef", cache: cache)
  }

  @Test("eight triplets are learned by heart", .tags(.slow))
  func overfits() throws {
    let source = try MemorySource(count: 8)
    let run = try trainer(source, options(steps: 250))
    var record: TrainingRecord?
    while !run.isFinished { record = try run.step() ?? record }
    let score = try run.score(source.examples)
    #expect(score > 0.95, "mIoU \(score), loss \(record?.loss ?? -1)")
    Figures.record("1 - mIoU of 8 triplets learned by heart", 1 - score, 0.05)
  }

  @Test("what is learned from kept features does not depend on what was kept, or is damaged")
  func keepsFeatures() throws {
    let directory = try TemporaryDirectory()
    let source = try MemorySource(count: 6, batchSize: 3)
    var options = options(steps: 4)
    options.keepsFeatures = true
    func run(_ folder: String, _ maximumBytes: Int) throws -> (module: [UInt8], bytes: Int) {
      let cache = try FeatureCache(
        folder: directory.file(folder), baseModel: "0123", maximumBytes: maximumBytes)
      let run = try trainer(source, options, cache: cache)
      while !run.isFinished { _ = try run.step() }
      try run.module.write(run.metadata, to: directory.file("module"))
      let data = try Data(contentsOf: URL(fileURLWithPath: directory.file("module")))
      return ([UInt8](data), cache.bytes)
    }
    let whole = try run("all", 1 << 30)
    let files = try FileManager.default.contentsOfDirectory(atPath: directory.file("all"))
    #expect(files.count == 6)
    // Read back, cut off in one file, and with room for none.
    let damaged = try #require(files.sorted().first)
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: directory.file("all/" + damaged)))
    #expect(try run("all", 1 << 30).module == whole.module)
    let none = try run("none", 4096)
    #expect(none.module == whole.module && none.bytes == 0)
    let half = try run("half", whole.bytes / 2)
    #expect(half.module == whole.module)
    #expect(half.bytes > 0 && half.bytes <= whole.bytes / 2)
    // Without a cache the run would not be the one that it was.
    let error = #expect(throws: GeneratorError.self) { _ = try trainer(source, options) }
    #expect(error?.message.contains("go on with --feature-cache") == true)
  }

  @Test("the step length falls to nothing over the last part of a run")
  func decays() throws {
    var options = options(steps: 10)
    #expect((0..<10).allSatisfy { options.rateFactor(step: $0) == 1 })
    options.decayShare = 0.5
    let factors = [0, 5, 6, 9, 10].map { options.rateFactor(step: $0) }
    #expect(factors == [1, 1, 0.8, 0.2, 0])
    // With the whole run decaying, the last step moves nothing that the first would not.
    let source = try MemorySource(count: 8)
    (options.decayShare, options.steps, options.validationInterval) = (1, 2, 100)
    let falling = try trainer(source, options)
    options.decayShare = nil
    let constant = try trainer(source, options)
    func weights(_ run: Trainer) throws -> [Float] {
      _ = try run.step()
      return run.module.parameters.flatMap(\.value.values)
    }
    #expect(try weights(falling) == weights(constant))
    #expect(try weights(falling) != weights(constant))
  }

  @Test("a run on the first pictures goes through them over and over")
  func trainsOnFew() throws {
    final class CountingSource: TrainingSource {
      let inner: MemorySource
      var asked: [Int] = []
      var identity: String { inner.identity }
      var categories: [CategoryName] { inner.categories }
      init(_ inner: MemorySource) { self.inner = inner }
      func batch(_ k: Int) throws(GeneratorError) -> [TrainingExample] {
        asked.append(k)
        return try inner.batch(k)
      }
    }
    let source = CountingSource(try MemorySource(count: 40, batchSize: 8))
    var options = options(steps: 5)
    (options.pictures, options.validationInterval) = (20, 100)
    let run = try trainer(source, options)
    for _ in 0..<4 { _ = try run.step() }
    #expect(source.asked == [0, 1, 0, 1])
  }

  @Test("a level that is not used does not reach the module")
  func usesLevels() throws {
    let source = try MemorySource(count: 4, batchSize: 4)
    func losses(_ levels: [Int]?) throws -> Double? {
      try trainer(source, options(steps: 1), levels: levels).step()?.loss
    }
    let all = try losses(nil)
    #expect(try losses([0, 1, 2, 3]) == all)
    #expect(try losses([0]) != all)
    #expect(try losses([0]) != losses([3]))
    var wrong = GroundingConfiguration.published
    wrong.usedLevels = [4]
    #expect(throws: GeneratorError.self) { try wrong.validate(file: "--level") }
  }

  @Test("a run that goes on from a checkpoint ends with the same bytes")
  func resumes() throws {
    let directory = try TemporaryDirectory()
    let source = try MemorySource(count: 20, batchSize: 4)
    var options = options(steps: 9)
    (options.simulatedMisses, options.validationInterval) = (0.3, 4)
    let whole = try trainer(source, options)
    while !whole.isFinished { _ = try whole.step() }
    try whole.save(to: directory.file("whole"))
    let first = try trainer(source, options)
    for _ in 0..<5 { _ = try first.step() }
    try first.save(to: directory.file("part"))
    let kept = try TrainingCheckpoint.read(
      directory.file("part"), workspace: Workspace(threadCount: 2))
    let second = try Trainer(
      model: DiffusionModel(
        directory: Fixtures.model("sd1"), workspace: kept.module.parameters[0].value.workspace),
      module: kept.module, optimizer: kept.optimizer, progress: kept.progress,
      metadata: kept.metadata, source: source)
    while !second.isFinished { _ = try second.step() }
    try second.save(to: directory.file("resumed"))
    let bytes = try ["whole", "resumed", "part"].map {
      try Data(contentsOf: URL(fileURLWithPath: directory.file($0)))
    }
    #expect(bytes[0] == bytes[1])
    #expect(bytes[0] != bytes[2])
    Figures.record("bytes that a resumed run differs in", bytes[0] == bytes[1] ? 0 : 1, 0)
  }

  @Test("a loss that is not a number stops with step, triplets and last checkpoint")
  func stopsAtNaN() throws {
    let directory = try TemporaryDirectory()
    let run = try trainer(MemorySource(count: 8), options(steps: 5))
    _ = try run.step()
    try run.save(to: directory.file("good"))
    run.module.parameters[0].value.write(
      [Float](repeating: .nan, count: run.module.parameters[0].value.count))
    let error = #expect(throws: GeneratorError.self) { _ = try run.step() }
    #expect(error?.code == .diverged)
    let message = error?.message ?? ""
    #expect(message.contains("step 2") && message.contains("good, step 1"), "\(message)")
    #expect(message.contains("triplets 1, "), "\(message)")
    #expect(run.progress.step == 1)
  }

  @Test("missing masks are empty for one strategy and left out for the other")
  func strategies() throws {
    var options = options(steps: 1)
    options.simulatedMisses = 1
    options.strategy = .normal
    let run = try trainer(MemorySource(count: 8), options)
    _ = try run.step()
    options.strategy = .withoutZeroMasks
    let error = #expect(throws: GeneratorError.self) {
      _ = try trainer(MemorySource(count: 8), options).step()
    }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("--simulate-misses") == true)
  }

  @Test("misses have their frequency and are the same every time")
  func missFrequency() throws {
    let (cat, simulator) = (try CategoryName("cat"), MissSimulator(probability: 0.3, seed: 7))
    let missed = (0..<2000).filter { simulator.misses(cat, in: Int64($0)) }
    #expect((540...660).contains(missed.count), "\(missed.count)")
    #expect(missed == (0..<2000).filter { simulator.misses(cat, in: Int64($0)) })
    let none = MissSimulator(probability: 0, seed: 7)
    #expect(!(0..<100).contains { none.misses(cat, in: Int64($0)) })
  }

  @Test("a checkpoint of another format, cut short, or of another source is one clear error")
  func badCheckpoints() throws {
    let directory = try TemporaryDirectory()
    let source = try MemorySource(count: 8)
    let run = try trainer(source, options(steps: 5))
    let workspace = Workspace(threadCount: 1)
    try run.module.write(run.metadata, to: directory.file("module"))
    try run.save(to: directory.file("run"))
    func message(_ name: String) -> String {
      let error = #expect(throws: GeneratorError.self) {
        _ = try TrainingCheckpoint.read(directory.file(name), workspace: workspace)
      }
      #expect(error?.code == .badCheckpoint)
      return error?.message ?? ""
    }
    #expect(message("module").contains("expected 'groundwell-training-1'"))
    let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.file("run")))
    try bytes.prefix(bytes.count - 5).write(to: URL(fileURLWithPath: directory.file("short")))
    #expect(message("short").contains("truncated"))
    let kept = try TrainingCheckpoint.read(directory.file("run"), workspace: workspace)
    var other = source
    other.identity = "another"
    let error = #expect(throws: GeneratorError.self) {
      _ = try Trainer(
        model: DiffusionModel(directory: Fixtures.model("sd1"), workspace: workspace),
        module: kept.module, optimizer: kept.optimizer, progress: kept.progress,
        metadata: kept.metadata, source: other)
    }
    #expect(error?.message.contains("another") == true)
  }

  @Test("options outside their range are refused by name")
  func badOptions() throws {
    for change in [
      { (o: inout TrainingOptions) in o.steps = 0 }, { $0.batchSize = 65 },
      { $0.learningRate = .nan }, { $0.simulatedMisses = 1.5 }, { $0.template = "no place" },
    ] {
      var options = options(steps: 5)
      change(&options)
      let error = #expect(throws: GeneratorError.self) { try options.validate() }
      #expect(error?.code == .invalidArgument)
    }
  }
}
