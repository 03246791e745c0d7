import ArgumentParser
import Foundation
import Schema

/// `groundwell-generator bench train-step`.
struct BenchTrainStepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train-step",
    abstract: "Times training steps of the 18.80 M grounding module, one order per input line.",
    discussion: """
      The order 'step' takes one step of the module of Stable Diffusion 1.x on random features of a \
      512x512 picture with one query: logits, loss, gradients, Adam. 'memory' reports. Each answers \
      with one line of JSON; Benchmarks/show_train_step.py lets PyTorch take turns.
      """)

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  /// Side and channels of the blocks of Stable Diffusion 1.x, by level.
  private static let blocks: [(side: Int, channels: [Int])] = [
    (8, [1280, 1280, 1280, 1280, 1280, 1280]), (16, [640, 1280, 1280, 1280, 1280, 1280]),
    (32, [320, 640, 640, 1280, 640, 640]), (64, [320, 320, 320, 640, 320, 320, 320]),
  ]
  private static let pictureSide = 512

  func validate() throws {
    guard (1...1024).contains(threads) else {
      throw ValidationError("--threads is \(threads); expected 1 to 1024")
    }
  }

  func run() throws {
    let started = ContinuousClock.now
    let workspace = Workspace(threadCount: threads)
    let module = GroundingModule(configuration: .published, seed: 1, workspace: workspace)
    let optimizer = Adam(parameters: module.parameters, learningRate: 1e-5)
    var random = TorchRandom(seed: 2)
    let levels = Self.blocks.map { side, channels in
      channels.flatMap { count in
        (0..<2).map { _ in
          workspace.tensor(
            random.normals(side * side * count), shape: [1, side, side, count])
        }
      }
    }
    let features = DiffusionFeatures(levels: levels)
    let query = workspace.tensor(random.normals(768), shape: [1, 768])
    let pixels = Self.pictureSide * Self.pictureSide
    let targets = workspace.tensor(
      (0..<pixels).map { $0 % Self.pictureSide < 200 ? 1 : 0 }, shape: [pixels])
    let weights = ones(targets)
    answer(["seconds": seconds(since: started), "parameters": Double(module.parameterCount)])
    while let line = readLine() {
      switch line {
      case "step":
        let started = ContinuousClock.now
        let tape = Tape(isRecording: true)
        let logits = tape.resize(
          module.logits(features, queries: [query], tape: tape, isTraining: true),
          height: Self.pictureSide, width: Self.pictureSide)
        let (total, losses) = tape.maskLoss(
          logits, targets: targets, weights: weights, .crossEntropy, scale: 1)
        tape.backward(from: total)
        optimizer.step()
        answer(["seconds": seconds(since: started), "loss": losses[0]])
      case "memory":
        answer([
          "peak_bytes": Double(peakBytes()),
          "allocated_bytes": Double(workspace.allocatedBytes),
        ])
      default: throw ValidationError("'\(line)' is not an order")
      }
    }
  }
}
