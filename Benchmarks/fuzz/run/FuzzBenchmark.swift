import Foundation
import FuzzProbes
import Synchronization

/// Runs damaged inputs through one probe; `make show-fuzz` runs it for each.
///
///     FuzzBenchmark PROBE SEED FIRST COUNT MARKER [REGRESSIONS]
///
/// The number of the input at hand stands in the file MARKER, so that whoever started this knows
/// which one ended it. `FuzzBenchmark PROBE SEED FIRST 0 FILE` writes that input to FILE instead.
@main
struct FuzzBenchmark {
  /// Seconds that one input may take.
  private static let hangSeconds = 10
  private static let inputsDone = Atomic<Int>(0)

  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 6, let probe = Probe(rawValue: arguments[1]),
      let seed = UInt64(arguments[2]), let first = Int(arguments[3]), let count = Int(arguments[4])
    else { fail("usage: FuzzBenchmark PROBE SEED FIRST COUNT MARKER [REGRESSIONS]") }
    let mutator = try Mutator(
      probe, extra: arguments.count > 6 ? try regressions(arguments[6]) : [])
    guard count > 0 else {
      return try Data(mutator.input(first, seed: seed)).write(
        to: URL(fileURLWithPath: arguments[5]))
    }
    guard FileManager.default.createFile(atPath: arguments[5], contents: Data(count: 8)),
      let marker = FileHandle(forWritingAtPath: arguments[5])
    else { fail("\(arguments[5]) cannot be written") }
    Thread.detachNewThread { watch() }
    let start = ContinuousClock.now
    var longest = Duration.zero
    for number in first..<(first + count) {
      try mark(number, marker)
      let input = mutator.input(number, seed: seed)
      let begun = ContinuousClock.now
      probe.run(input)
      longest = max(longest, begun.duration(to: .now))
      inputsDone.add(1, ordering: .relaxed)
    }
    let seconds = start.duration(to: .now) / .seconds(1)
    print(
      "{\"inputs\":\(count),\"seconds\":\(seconds),\"longest_ms\":\(longest / .milliseconds(1)),"
        + "\"peak_mb\":\(try peakMegabytes())}")
  }

  private static func regressions(_ folder: String) throws -> [[UInt8]] {
    guard FileManager.default.fileExists(atPath: folder) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
      [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0)))
    }
  }

  private static func mark(_ number: Int, _ marker: FileHandle) throws {
    var value = Int64(number).littleEndian
    // Safe: writes the eight bytes of a value that lives through the call.
    let written = unsafe withUnsafeBytes(of: &value) {
      unsafe pwrite(marker.fileDescriptor, $0.baseAddress, $0.count, 0)
    }
    guard written == 8 else { fail("the marker cannot be written") }
  }

  /// Ends the process when one input takes too long.
  private static func watch() {
    var last = -1
    while true {
      sleep(UInt32(hangSeconds))
      let done = inputsDone.load(ordering: .relaxed)
      if done == last {
        FileHandle.standardError.write(Data("an input takes over \(hangSeconds) s\n".utf8))
        _exit(3)
      }
      last = done
    }
  }

  private static func peakMegabytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return (Int(line.filter(\.isNumber)) ?? 0) / 1024
  }

  private static func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("\(message)\n".utf8))
    exit(2)
  }
}
