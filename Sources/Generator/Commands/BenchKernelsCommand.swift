import ArgumentParser
import Foundation

/// `groundwell-generator bench kernels`.
struct BenchKernelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels", abstract: "Times every kernel case, with GFLOP/s and GB/s.")

  @Option(help: "Only cases whose name contains this.")
  var filter = ""

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "Runs of each case; the fastest counts.")
  var runs = 5

  func validate() throws {
    guard (1...1024).contains(threads), (1...1000).contains(runs) else {
      throw ValidationError("--threads and --runs: expected 1 to 1000")
    }
  }

  func run() throws {
    let workspace = Workspace(threadCount: threads)
    for kernel in KernelCase.full where filter.isEmpty || kernel.name.contains(filter) {
      let run = kernel.kernel(kernel.inputs(workspace))
      var best = Double.infinity
      for _ in 0...runs {
        let started = ContinuousClock.now
        _ = run()
        best = min(best, seconds(since: started))
      }
      let (rate, bytes) = (kernel.flops / best * 1e-9, kernel.bytes / best * 1e-9)
      print(
        kernel.name.padding(toLength: 44, withPad: " ", startingAt: 0)
          + format(best * 1e3) + " ms" + format(rate) + " GFLOP/s" + format(bytes) + " GB/s")
    }
  }

  private func format(_ value: Double) -> String {
    let text = String((value * 100).rounded() / 100)
    return String(repeating: " ", count: max(1, 10 - text.count)) + text
  }
}
