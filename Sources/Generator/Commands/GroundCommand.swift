import ArgumentParser
import Foundation
import Imaging
import Schema

/// `groundwell-generator ground`.
struct GroundCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ground",
    abstract: "Finds named categories in a picture with a grounding module.",
    discussion: """
      Writes into --out: NAME-overlay.png, a PNG for each mask, and NAME.json. The picture is looked \
      at in the size that the model was trained on; masks have the picture's own size.
      """)

  @Option(help: "The PNG picture.")
  var image: String

  @Option(help: "Categories, split by commas.")
  var categories: String

  @Option(help: "Directory of the base model in the layout of diffusers; stickers comes along.")
  var model = ShareLocation.shippedModel

  @Option(
    help: "A module's file, or the name of one that comes with the model; its first when left out.")
  var module: String?

  @Option(help: "A tuned token from tune-token; give it again for more categories.")
  var token: [String] = []

  @Option(help: "What the picture shows, in a sentence; made of the categories when left out.")
  var prompt: String?

  @Option(name: [.customLong("out"), .customShort("o")], help: "Folder for what is written.")
  var output: String

  @OptionGroup var resolution: ResolutionOptions

  @Option(help: "Seed of the noise that is mixed into the picture.")
  var seed: UInt64 = 0

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @Flag(help: "Print the JSON.")
  var json = false

  func validate() throws {
    guard (1...1024).contains(threads) else {
      throw ValidationError("--threads is \(threads); expected 1 to 1024")
    }
  }

  func run() throws {
    let names = try GroundOutput.categories(categories)
    let picture = try PNG.readRGB(image)
    let directory = try ModelDirectory.named(model)
    let model = try DiffusionModel(
      directory: directory, workspace: Workspace(threadCount: threads))
    let path = try Grounder.modulePath(module, directory)
    let grounder = try Grounder(model: model, path: path).adding(tokens: token)
    let size = try grounder.workingSize(width: picture.width, height: picture.height)
    let latent = try model.latent(
      of: Resize.image(picture, width: size.width, height: size.height))
    let probabilities = try grounder.probabilities(
      latent: latent, categories: names, prompt: prompt, seed: seed)
    let resized = resizedProbabilities(
      probabilities, height: picture.height, width: picture.width)
    let stem = URL(fileURLWithPath: image).deletingPathExtension().lastPathComponent
    let writer = GroundOutput(
      folder: output, stem: stem, categories: names, splitsInstances: resolution.instances,
      minimumPixels: resolution.minimumPixels)
    let answer = try writer.write(
      picture, resolution.resolution(resized), image: image, module: path)
    if json {
      let file = try Data(contentsOf: URL(fileURLWithPath: "\(output)/\(stem).json"))
      print(String(decoding: file, as: UTF8.self))
      return
    }
    for entry in answer.masks {
      let confidence = String(format: "%.2f", entry.confidence)
      print(
        "\(entry.category): \(entry.pixelCount) pixels, confidence \(confidence), \(entry.file)")
    }
    print(answer.overlay)
  }
}

/// How masks are made of probabilities.
struct ResolutionOptions: ParsableArguments {
  @Option(help: "From this probability on, a pixel belongs to a category.")
  var threshold: Float = 0.5

  @Option(help: "Pixels less than this below the threshold are neither object nor background.")
  var ignoreBand: Float = 0

  @Flag(help: "Let masks overlap: each category by itself.")
  var overlapping = false

  @Flag(help: "Write each connected part of a mask by itself.")
  var instances = false

  @Option(help: "The smallest part that --instances writes, in pixels.")
  var minimumPixels = 1

  func validate() throws {
    guard (0...1).contains(threshold), (0...1).contains(ignoreBand) else {
      throw ValidationError("--threshold and --ignore-band are 0 to 1")
    }
    guard minimumPixels >= 1 else {
      throw ValidationError("--minimum-pixels is \(minimumPixels); expected 1 or more")
    }
  }

  /// Resolves probabilities as asked for.
  func resolution(_ probabilities: Tensor) -> ResolvedMasks {
    var rule = MaskResolution()
    (rule.threshold, rule.ignoreBand, rule.isIndependent) = (threshold, ignoreBand, overlapping)
    return rule(probabilities)
  }
}
