import ArgumentParser
import Foundation

/// `groundwell-generator bench kernels`.
struct BenchKernelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels", abstract: "Times every kernel case, with GFLOP/s and GB/s.",
    discussion: """
      With --compare-swift, times each kernel written in C against the same kernel in Swift on one \
      thread and exits with 1 where C is not more than 1.3 times as fast.
      """)

  @Option(help: "Only cases whose name contains this.")
  var filter = ""

  @Option(help: "Threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "Runs of each case; the fastest counts.")
  var runs = 5

  @Flag(help: "Compare kernels written in C with the same kernels in Swift.")
  var compareSwift = false

  @Option(help: "Instructions that kernels may use: baseline, avx2 or avx512.")
  var level = KernelLevel.avx512.rawValue

  func validate() throws {
    guard KernelLevel(rawValue: level) != nil else {
      let names = KernelLevel.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--level is '\(level)'; expected one of \(names)")
    }
    guard (1...1024).contains(threads), (1...1000).contains(runs) else {
      throw ValidationError("--threads and --runs: expected 1 to 1000")
    }
  }

  func run() throws {
    KernelLevel.limit(KernelLevel(rawValue: level) ?? .avx512)
    guard !compareSwift else { return try compare() }
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

  private func compare() throws {
    let workspace = Workspace(threadCount: 1)
    var ratios: [(name: String, ratio: Double)] = []
    for kernel in KernelComparison.all where filter.isEmpty || kernel.name.contains(filter) {
      let (c, swift) = kernel.measure(workspace, runs: runs)
      ratios.append((kernel.name, swift / c))
      print(
        kernel.name.padding(toLength: 44, withPad: " ", startingAt: 0) + format(c * 1e6)
          + " us in C" + format(swift * 1e6) + " us in Swift" + format(swift / c) + " times")
    }
    guard let least = ratios.min(by: { $0.ratio < $1.ratio }) else {
      throw ValidationError("--filter '\(filter)' leaves no kernel")
    }
    let isFast = least.ratio > KernelComparison.requiredRatio
    print(
      "compare-swift: \(isFast ? "ok" : "SHORT"): \(ratios.count) kernels, least gain: "
        + "\(least.name),\(format(least.ratio)) times "
        + "(bound: more than \(KernelComparison.requiredRatio))")
    if !isFast { throw ExitCode.failure }
  }

  private func format(_ value: Double) -> String {
    let text = String((value * 100).rounded() / 100)
    return String(repeating: " ", count: max(1, 10 - text.count)) + text
  }
}
