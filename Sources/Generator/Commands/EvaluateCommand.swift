import ArgumentParser
import Foundation
import Schema

/// `groundwell-generator evaluate`.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measures grounding.",
    subcommands: [EvaluateProtocolOneCommand.self])
}

/// `groundwell-generator evaluate protocol-1`.
struct EvaluateProtocolOneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "protocol-1",
    abstract: "Measures masks on held-out scenes: one and two objects, seen and unseen categories.",
    discussion: """
      Scenes have exact masks; each goes through the autoencoder and one pass of the U-Net. A module \
      is measured against attention without training and two floors. Prints a Markdown table; \
      --out writes it and the figures by category as JSON.
      """)

  @Option(help: "The split: a name, or a file that ends in .json.")
  var split: String

  @Option(help: "Directory of the base model in the layout of diffusers; stickers comes along.")
  var model = ShareLocation.shippedModel

  @Option(help: "A module's file, FILE or NAME=FILE; give it again for more.")
  var module: [String] = []

  @Option(help: "Pictures of each of the five kinds.")
  var pictures = 250

  @Option(help: "Decides the scenes.")
  var seed: Int64 = 1

  @Option(help: "Threshold of the attention baselines; give it again for more.")
  var attentionThreshold: [Float] = [AttentionHeatMaps.standardThreshold]

  @Option(name: [.customLong("out"), .customShort("o")], help: "Folder for table and figures.")
  var output: String?

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @OptionGroup var spriteOptions: SpriteOptions

  /// A sampler's steps in short: attention is summed over them.
  private static let attentionTimesteps = [100, 300, 500, 700]

  func validate() throws {
    guard (1...100_000).contains(pictures) else {
      throw ValidationError("--pictures is \(pictures); expected 1 to 100000")
    }
    guard attentionThreshold.allSatisfy({ (0...1).contains($0) }) else {
      throw ValidationError("--attention-threshold is 0 to 1")
    }
    guard (1...1024).contains(threads) else {
      throw ValidationError("--threads is \(threads); expected 1 to 1024")
    }
  }

  func run() throws {
    let environment = ProcessInfo.processInfo.environment
    let split = try Split.named(
      split,
      folder: ShareLocation.splits(
        environment: environment, programFolder: ShareLocation.programFolder()))
    let model = try DiffusionModel(
      directory: ModelDirectory.named(model), workspace: Workspace(threadCount: threads))
    let scenes = ScenePictures(
      library: try spriteOptions.library(), split: split,
      side: model.unet.configuration.sampleSize * model.autoencoder.downsampling)
    let measure = try ProtocolOne(scenes, picturesPerCell: pictures, seed: seed)
    var scores = try measure.scores(WholeImage()) + measure.scores(PerfectForeground())
    for threshold in attentionThreshold {
      for propagations in [0, AttentionHeatMaps.standardPropagations] {
        scores += try measure.scores(
          AttentionMethod(
            model, timesteps: Self.attentionTimesteps, threshold: threshold,
            propagations: propagations))
      }
    }
    for option in module {
      let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
      let grounder = try Grounder(model: model, path: parts[parts.count - 1])
      scores += try measure.scores(
        ModuleMethod(grounder, name: parts.count == 2 ? parts[0] : "grounding module"))
    }
    let table = ProtocolOne.table(scores)
    print("\(split.name), \(pictures) pictures of each kind, seed \(seed)\n\n\(table)")
    guard let output else { return }
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    try Data((table + "\n").utf8).write(to: URL(fileURLWithPath: "\(output)/protocol-1.md"))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(scores).write(to: URL(fileURLWithPath: "\(output)/protocol-1.json"))
  }
}
