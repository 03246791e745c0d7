import ArgumentParser
import Foundation
import Schema

/// `groundwell-generator bench-scenes`.
struct BenchScenesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-scenes",
    abstract: "Measures scenes per second of one core, and recomposes scenes to check their masks.",
    discussion: "Exits with 1 when a scene is not exact, or the first size is below --minimum.")

  @Option(help: "Pixels along a side, 32 to 1024; give it again for more sizes.")
  var size = [64]

  @Option(help: "Processor seconds to measure each size for.")
  var seconds = 2.0

  @Option(help: "Scenes of each size to recompose.")
  var check = 100

  @Option(help: "Scenes per second that the first size must reach.")
  var minimum = 0.0

  @Flag(help: "Write JSON.")
  var json = false

  @OptionGroup var spriteOptions: SpriteOptions

  private struct Figures: Encodable {
    let size: Int
    let scenesPerSecond: Double
    let scenes: Int
    let checked: Int
    let inexact: Int
  }

  func validate() throws {
    guard !size.isEmpty, size.allSatisfy(SceneEngine.imageSides.contains) else {
      throw ValidationError("--size is \(size); expected 32 to 1024")
    }
    guard seconds > 0, seconds <= 600, (0...100_000).contains(check) else {
      throw ValidationError("expected --seconds up to 600 and --check up to 100000")
    }
  }

  func run() throws {
    let library = try spriteOptions.library()
    let engine = SceneEngine(library: library)
    var figures: [Figures] = []
    for side in size { figures.append(try measure(engine, library.categories, side: side)) }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      print(String(decoding: try encoder.encode(figures), as: UTF8.self))
    } else {
      for figure in figures {
        print(
          "\(figure.size)x\(figure.size): \(Int(figure.scenesPerSecond)) scenes/s per core "
            + "(\(figure.scenes) scenes), \(figure.checked - figure.inexact) of "
            + "\(figure.checked) recomposed exactly")
      }
      print(summary(figures))
    }
    let isFast = figures[0].scenesPerSecond >= minimum
    guard isFast, figures.allSatisfy({ $0.inexact == 0 }) else { throw ExitCode.failure }
  }

  private func summary(_ figures: [Figures]) -> String {
    let speeds = figures.enumerated().map { index, figure in
      let bound = index == 0 ? " (bound: at least \(Int(minimum)))" : ""
      return "\(Int(figure.scenesPerSecond)) scenes/s per core at \(figure.size)\(bound)"
    }
    let inexact = figures.reduce(0) { $0 + $1.inexact }
    let checked = figures.reduce(0) { $0 + $1.checked }
    return speeds.joined(separator: ", ")
      + "; \(inexact) of \(checked) scenes inexact (bound: 0)"
  }

  private func measure(
    _ engine: SceneEngine, _ categories: [CategoryName], side: Int
  ) throws -> Figures {
    let companions = categories.map { Companion(category: $0, weight: 1) }
    func scene(_ index: Int) throws(GeneratorError) -> Scene {
      let item = WorkItem.local(
        categories[index % categories.count], size: side, seed: Int64(index),
        companions: companions)
      return try engine.scene(for: item, worker: "bench", createdMicroseconds: 0)
    }
    var inexact = 0
    for index in 0..<check {
      do throws(GeneratorError) {
        try SceneCheck.verify(try scene(index))
      } catch {
        guard error.code == .inexact else { throw error }
        inexact += 1
        FileHandle.standardError.write(Data("scene \(index) at \(side): \(error.message)\n".utf8))
      }
    }
    let start = Self.processorSeconds()
    var count = 0
    while Self.processorSeconds() - start < seconds {
      _ = try scene(count)
      count += 1
    }
    let elapsed = Self.processorSeconds() - start
    return Figures(
      size: side, scenesPerSecond: Double(count) / elapsed, scenes: count, checked: check,
      inexact: inexact)
  }

  /// Processor time of this thread, which other programs on the machine do not change.
  private static func processorSeconds() -> Double {
    var time = timespec()
    // Safe: the call only writes the structure that it is given.
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
