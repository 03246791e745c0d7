import ArgumentParser
import Foundation
import Schema

/// `groundwell-generator bench`.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Times the diffusion runtime.",
    subcommands: [
      BenchKernelsCommand.self, BenchDiffusionCommand.self, BenchTrainStepCommand.self,
    ])
}

/// `groundwell-generator bench diffusion`.
struct BenchDiffusionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diffusion", abstract: "Times the parts of a model, one order per input line.",
    discussion: """
      Orders: 'text BATCH', 'unet BATCH SIDE', 'vae SIDE' (sides in latent pixels) time random \
      input; 'file PART IN OUT' evaluates a part on the tensors of a safetensors file and writes \
      its floats; 'memory' reports. Each answers with one line of JSON. Another program can so \
      alternate with its own measurements; Benchmarks/show_unet.py does.
      """)

  @Option(help: "Directory of the model in the layout of diffusers.")
  var model: String

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  func validate() throws {
    guard (1...1024).contains(threads) else {
      throw ValidationError("--threads is \(threads); expected 1 to 1024")
    }
  }

  func run() throws {
    let started = ContinuousClock.now
    let model = try DiffusionModel(
      directory: ModelDirectory(path: model), workspace: Workspace(threadCount: threads))
    answer(["seconds": seconds(since: started)])
    while let line = readLine() {
      let words = line.split(separator: " ").map(String.init)
      switch words.first {
      case "text": try time { try text(model, count(words, 1)) }
      case "unet":
        let (batch, side) = try (count(words, 1), count(words, 2))
        time { unet(model, batch: batch, side: side) }
      case "vae":
        let side = try count(words, 1)
        time { vae(model, side: side) }
      case "file" where words.count == 4:
        try evaluate(model, part: words[1], input: words[2], output: words[3])
        answer(["seconds": 0])
      case "memory":
        answer([
          "peak_bytes": Double(peakBytes()),
          "activation_bytes": Double(model.workspace.allocatedBytes),
          "allocations": Double(model.workspace.allocationCount),
        ])
      default: throw ValidationError("'\(line)' is not an order")
      }
    }
  }

  private func count(_ words: [String], _ index: Int) throws -> Int {
    guard words.indices.contains(index), let value = Int(words[index]), (1...4096).contains(value)
    else { throw ValidationError("'\(words.joined(separator: " "))' lacks a number") }
    return value
  }

  private func time(_ work: () throws -> Void) rethrows {
    let started = ContinuousClock.now
    let before = processorSeconds()
    try work()
    answer(["seconds": seconds(since: started), "cpu_seconds": processorSeconds() - before])
  }

  private func text(_ model: DiffusionModel, _ batch: Int) throws {
    _ = try model.embed([String](repeating: "a photograph of a cat", count: batch))
  }

  private func unet(_ model: DiffusionModel, batch: Int, side: Int) {
    let configuration = model.unet.configuration
    var generator = TorchRandom(seed: 1)
    let latent = model.workspace.tensor(
      generator.normals(batch * side * side * configuration.latentChannels),
      shape: [batch, side, side, configuration.latentChannels])
    let length = model.textEncoder.configuration.length
    let context = model.workspace.tensor(
      generator.normals(batch * length * configuration.contextChannels),
      shape: [batch, length, configuration.contextChannels])
    _ = model.unet(latent, timestep: 981, context: context)
  }

  private func vae(_ model: DiffusionModel, side: Int) {
    var generator = TorchRandom(seed: 2)
    let channels = model.autoencoder.latentChannels
    _ = model.pictures(
      model.workspace.tensor(
        generator.normals(side * side * channels), shape: [1, side, side, channels]))
  }

  private func evaluate(
    _ model: DiffusionModel, part: String, input: String, output: String
  ) throws {
    let tensors = try SafetensorsFile(path: input).weights().mapValues {
      $0.tensor(model.workspace)
    }
    func tensor(_ name: String) throws -> Tensor {
      guard let tensor = tensors[name] else { throw ValidationError("\(input): no '\(name)'") }
      return tensor
    }
    let result: Tensor
    switch part {
    case "text":
      let ids = try tensor("ids")
      let rows = (0..<ids.shape[0]).map { ids.slice($0..<$0 + 1).values.map { Int32($0) } }
      result = model.textEncoder(rows)
    case "unet":
      result =
        try model.unet(
          tensor("latent").channelsLast(), timestep: tensor("timestep").values[0],
          context: tensor("context")
        ).prediction.channelsFirst()
    case "decoder":
      result = try model.autoencoder.decoded(tensor("latent").channelsLast()).channelsFirst()
    case "encoder":
      result = try model.autoencoder.encoded(tensor("picture").channelsLast()).channelsFirst()
    default: throw ValidationError("'\(part)' is not a part")
    }
    let bytes = result.values.flatMap { $0.bitPattern.littleEndianBytes }
    try Data(bytes).write(to: URL(fileURLWithPath: output))
  }
}

/// Seconds on the monotonic clock.
func seconds(since start: ContinuousClock.Instant) -> Double {
  let (seconds, attoseconds) = start.duration(to: .now).components
  return Double(seconds) + Double(attoseconds) * 1e-18
}

/// Processor time of all threads of this process, which a busy machine hardly changes.
func processorSeconds() -> Double {
  var usage = rusage()
  // Safe: `usage` outlives the call.
  guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
  let whole = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
  return Double(whole) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6
}

/// The largest resident size that this process has had.
func peakBytes() -> Int {
  var usage = rusage()
  // Safe: `usage` outlives the call.
  guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
  return usage.ru_maxrss * 1024
}

/// Prints one line of JSON at once.
func answer(_ values: [String: Double]) {
  let fields = values.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
  FileHandle.standardOutput.write(Data("{\(fields.joined(separator: ", "))}\n".utf8))
}
