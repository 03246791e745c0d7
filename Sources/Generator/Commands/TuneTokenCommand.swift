import ArgumentParser
import Foundation
import Imaging
import Schema

/// `groundwell-generator tune-token`.
struct TuneTokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune-token",
    abstract: "Tunes a category's query on one picture with its mask.",
    discussion: """
      For a category that a module finds badly. Base model and module stay as they are; the tuned \
      query goes into a file of a few kilobytes, for 'ground --token FILE'. The mask is a PNG of the \
      picture's size, white (from half on) where the category is.
      """)

  @Option(help: "The PNG picture.")
  var image: String

  @Option(help: "The PNG mask.")
  var mask: String

  @Option(help: "The category.")
  var category: String

  @Option(help: "Directory of the base model in the layout of diffusers; stickers comes along.")
  var model = ShareLocation.shippedModel

  @Option(
    help: "A module's file, or the name of one that comes with the model; its first when left out.")
  var module: String?

  @Option(help: "What the picture shows, in a sentence; made of the category when left out.")
  var prompt: String?

  @Option(name: [.customLong("out"), .customShort("o")], help: "The token's file.")
  var output: String

  @Option(help: "Steps in all.")
  var steps = TokenTuner.Options().steps

  @Option(help: "Adam's step length.")
  var learningRate = TokenTuner.Options().learningRate

  @Option(help: "Noises that the picture is looked at with.")
  var noises = TokenTuner.Options().noises

  @Option(help: "Seed of the noises.")
  var seed: UInt64 = 0

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @Flag(help: "Print the figures as JSON.")
  var json = false

  /// What is printed.
  private struct Answer: Encodable {
    let category: String
    let file: String
    let before: Double
    let after: Double
    let seconds: Double
  }

  func validate() throws {
    guard (1...1024).contains(threads) else {
      throw ValidationError("--threads is \(threads); expected 1 to 1024")
    }
  }

  func run() throws {
    let started = ContinuousClock.now
    let name = try GroundOutput.categories(category)
    guard name.count == 1 else {
      throw ValidationError("--category names \(name.count) categories; a token stands for one")
    }
    let picture = try PNG.readRGB(image)
    let drawn = try PNG.readRGB(mask)
    guard (drawn.width, drawn.height) == (picture.width, picture.height) else {
      throw GeneratorError(
        .invalidArgument,
        "\(mask): \(drawn.width)x\(drawn.height) pixels; expected \(picture.width)x"
          + "\(picture.height), the size of \(image)")
    }
    let directory = try ModelDirectory.named(model)
    let model = try DiffusionModel(
      directory: directory, workspace: Workspace(threadCount: threads))
    let grounder = try Grounder(model: model, path: Grounder.modulePath(module, directory))
    let size = try grounder.workingSize(width: picture.width, height: picture.height)
    let whole = BinaryMask(
      width: drawn.width, height: drawn.height,
      values: (0..<drawn.width * drawn.height).map { drawn.pixels[3 * $0] >= 128 ? 1 : 0 })
    var options = TokenTuner.Options()
    (options.steps, options.learningRate) = (steps, learningRate)
    (options.noises, options.seed) = (noises, seed)
    let tuner = try TokenTuner(
      grounder, image: Resize.image(picture, width: size.width, height: size.height),
      mask: Resize.nearest(whole, width: size.width, height: size.height), category: name[0],
      prompt: prompt, options: options)
    let before = tuner.score()
    let progress = ProgressLine(total: 1)
    for step in 0..<tuner.steps {
      _ = try tuner.step()
      progress.show(done: 0, step: step + 1, steps: tuner.steps)
    }
    progress.end()
    try tuner.token().write(to: output)
    let answer = Answer(
      category: name[0], file: output, before: before, after: tuner.score(),
      seconds: seconds(since: started))
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      print(String(decoding: try encoder.encode(answer), as: UTF8.self))
      return
    }
    let figures = [before, answer.after].map { String(format: "%.3f", $0) }
    print(
      "\(output): '\(name[0])', mask agrees with the given one by \(figures[0]) before and "
        + "\(figures[1]) after (intersection over union)")
  }
}
