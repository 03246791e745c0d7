import ArgumentParser
import Foundation
import Imaging
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
      --out writes it, the figures by category as JSON, charts, and sheets of the last module's \
      masks. Without --module the one that comes with the model for this split is measured.
      """)

  @Option(help: "The split: a name, or a file that ends in .json.")
  var split: String

  @Option(help: "Directory of the base model in the layout of diffusers; stickers comes along.")
  var model = ShareLocation.shippedModel

  @Option(help: "A module's file, FILE or NAME=FILE; give it again for more.")
  var module: [String] = []

  @Option(help: "A tuned token from tune-token, for every module; give it again for more.")
  var token: [String] = []

  @Flag(help: "Measure modules alone, without baselines and floors.")
  var modulesOnly = false

  @Option(
    help: ArgumentHelp(
      "Measure pictures of this folder instead of scenes.",
      discussion: """
        PNG images and masks with an index of prompts, as for 'groundwell import': drawn pictures with \
        a detector's masks, say. Those of one or two of the split's categories count.
        """))
  var folder: String?

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
    let directory = try ModelDirectory.named(model)
    let model = try DiffusionModel(
      directory: directory, workspace: Workspace(threadCount: threads))
    let modules = try self.modules(split, directory, model)
    let measure = try measure(
      split, side: model.unet.configuration.sampleSize * model.autoencoder.downsampling)
    let baselines =
      modulesOnly
      ? []
      : [0, AttentionHeatMaps.standardPropagations].flatMap { propagations in
        let heat = AttentionHeat(
          model, timesteps: Self.attentionTimesteps, propagations: propagations)
        return attentionThreshold.map { AttentionMethod(heat, threshold: $0) }
      }
    let progress = ProgressLine(total: 1)
    let total = baselines.count + modules.count
    var scores: [ProtocolOne.Score] = []
    if !modulesOnly {
      scores = try measure.scores(WholeImage()) + measure.scores(PerfectForeground())
    }
    for (index, method) in baselines.enumerated() {
      scores += try measure.scores(method)
      progress.show(done: 0, step: index + 1, steps: total)
    }
    for (index, method) in modules.enumerated() {
      scores += try measure.scores(method)
      progress.show(done: 0, step: baselines.count + index + 1, steps: total)
    }
    progress.end()
    let table = ProtocolOne.table(scores)
    let source = folder ?? "\(pictures) pictures of each kind, seed \(seed)"
    print("\(split.name), \(source)\n\n\(table)")
    guard let output else { return }
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    try Data((table + "\n").utf8).write(to: URL(fileURLWithPath: "\(output)/protocol-1.md"))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(scores).write(to: URL(fileURLWithPath: "\(output)/protocol-1.json"))
    try PNG.write(ProtocolOne.chart(scores, title: split.name), to: "\(output)/protocol-1.png")
    guard let last = modules.last else { return }
    for (cell, name) in [(ProtocolCell.oneSeen, "one-seen"), (.oneUnseen, "one-unseen")] {
      try PNG.write(
        ProtocolOne.categoryChart(scores, method: last.name, cell: cell),
        to: "\(output)/categories-\(name).png")
    }
    for (cell, name) in [(ProtocolCell.oneUnseen, "one-unseen"), (.twoUnseen, "two-unseen")] {
      try PNG.write(
        measure.sheet(last, cell: cell, title: "\(split.name): \(cell.rawValue)"),
        to: "\(output)/sheet-\(name).png")
    }
  }

  /// The pictures that are asked for.
  private func measure(_ split: Split, side: Int) throws -> ProtocolOne {
    guard let folder else {
      let scenes = ScenePictures(
        library: try spriteOptions.library(), split: split, side: side)
      return try ProtocolOne(scenes, picturesPerCell: pictures, seed: seed)
    }
    let labelled = try LabelledPictures(folder: folder, split: split, side: side)
    if labelled.skipped > 0 {
      FileHandle.standardError.write(
        Data(
          "\(folder): \(labelled.skipped) picture(s) without one or two of the split's categories\n"
            .utf8))
    }
    return ProtocolOne(labelled)
  }

  /// The modules to measure: those asked for, else the one that comes with the model for the split.
  private func modules(
    _ split: Split, _ directory: ModelDirectory, _ model: DiffusionModel
  ) throws -> [ModuleMethod] {
    var options = module
    let shipped = "\(directory.path)/grounding/\(split.name).safetensors"
    if options.isEmpty, FileManager.default.fileExists(atPath: shipped) { options = [shipped] }
    return try options.map { option in
      let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
      let grounder = try Grounder(model: model, path: parts[parts.count - 1])
        .adding(tokens: token)
      return ModuleMethod(grounder, name: parts.count == 2 ? parts[0] : "grounding module")
    }
  }
}
