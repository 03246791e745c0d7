import ArgumentParser
import Foundation

/// `groundwell-generator inspect`.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Prints what a model directory holds, whether it can run, and its fingerprint.")

  @Argument(help: "Directory of the model in the layout of diffusers; stickers comes along.")
  var directory = ShareLocation.shippedModel

  func run() throws {
    let model = try ModelDirectory.named(directory)
    let workspace = Workspace()
    var problems: [String] = []
    func report(_ name: String, _ describe: () throws -> String) {
      do {
        print("\(name): \(try describe())")
      } catch {
        problems.append("\(error)")
        print("\(name): \(error)")
      }
    }
    for part in ModelDirectory.Part.allCases {
      report("\(part.rawValue) weights") { try weights(model, part) }
    }
    report("tokenizer") {
      "\(try Tokenizer(directory: model.path + "/tokenizer").vocabularySize) tokens"
    }
    report("scheduler") {
      let schedule = try model.noiseSchedule()
      return
        "\(schedule.kind.rawValue), \(schedule.prediction.rawValue), \(schedule.spacing.rawValue) "
        + "timesteps, \(schedule.trainingSteps) of training"
    }
    report("unet") {
      let (json, file) = try model.configuration(.unet)
      let configuration = try UNetConfiguration(json: json, file: file)
      let levels = configuration.blockChannels.indices
      return "levels of \(configuration.blockChannels) channels with "
        + "\(levels.map { configuration.headCount($0) }) heads, context "
        + "\(configuration.contextChannels), latents of \(configuration.sampleSize)"
    }
    report("load") {
      let started = ContinuousClock.now
      _ = try DiffusionModel(directory: model, workspace: workspace)
      return "every tensor fits, \(rounded(seconds(since: started))) s"
    }
    report("fingerprint") { try Fingerprint.model(model, workspace: workspace) }
    report("vocabulary") {
      guard let names = try model.categories() else { return "not listed" }
      return "\(names.count) categories: " + names.joined(separator: ", ")
    }
    print(problems.isEmpty ? "can run" : "cannot run: \(problems.count) problems")
    if !problems.isEmpty { throw ExitCode.failure }
  }

  private func weights(_ model: ModelDirectory, _ part: ModelDirectory.Part) throws -> String {
    var (values, bytes) = (0, 0)
    var types: Set<String> = []
    var count = 0
    let files = try model.weightFiles(part)
    for file in files {
      for entry in try SafetensorsFile(path: file).entries.values {
        values += entry.shape.reduce(1, *)
        bytes += entry.range.count
        types.insert(entry.elementType)
        count += 1
      }
    }
    return "\(files.count) file(s), \(count) tensors, \(values) values of "
      + "\(types.sorted().joined(separator: ", ")), \(bytes) bytes"
  }

  private func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
