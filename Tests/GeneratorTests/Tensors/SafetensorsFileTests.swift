import Foundation
import Testing

@testable import Generator

/// `SafetensorsFile` on broken files: one clear error each, and never a trap.
@Suite struct SafetensorsFileTests {
  private static let header =
    #"{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2,3],"#
    + #""data_offsets":[0,24]},"y":{"dtype":"F16","shape":[4],"data_offsets":[24,32]}}"#

  private func file(_ header: String, data: Int = 32, length: UInt64? = nil) -> [UInt8] {
    let length = length ?? UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
      + [UInt8](repeating: 1, count: data)
  }

  private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
    let path = NSTemporaryDirectory() + "safetensors-\(UUID().uuidString)"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try SafetensorsFile(path: path)
  }

  @Test("a good file gives its tensors")
  func accepts() throws {
    let weights = try open(file(Self.header)).weights()
    #expect(weights["x"]?.shape == [2, 3])
    #expect(weights["y"]?.kind == .float16)
    #expect(weights.count == 2)
  }

  @Test(
    "broken files are refused with what is wrong",
    arguments: [
      ("", 0, nil as UInt64?, "a header needs 8"),
      (header, 32, 100_000_001, "at most 100000000"),
      (header, 32, 90_000_000, "truncated"), (header, 31, nil, "'y' lies at"),
      (header.replacingOccurrences(of: "[24,32]", with: "[20,28]"), 32, nil, "overlap"),
      (header.replacingOccurrences(of: "[0,24]", with: "[0,20]"), 32, nil, "needs 24 bytes"),
      (header.replacingOccurrences(of: "[0,24]", with: "[24,0]"), 32, nil, "'x' lies at"),
      (header.replacingOccurrences(of: "[0,24]", with: "[-24,0]"), 32, nil, "'x' lies at"),
      (header.replacingOccurrences(of: "F32", with: "F99"), 32, nil, "unknown element type"),
      (header.replacingOccurrences(of: "[2,3]", with: "[-2,-3]"), 32, nil, "has the shape"),
      (
        header.replacingOccurrences(of: "[2,3]", with: "[9223372036854775807,9]"), 32, nil,
        "has the shape"
      ),
      (header.replacingOccurrences(of: "shape", with: "sharp"), 32, nil, "lacks dtype"),
      ("[1,2]", 32, nil, "not a tensor table"), ("{", 32, nil, "not a tensor table"),
    ])
  func refuses(header: String, data: Int, length: UInt64?, part: String) {
    let bytes = header.isEmpty ? [1, 2] : file(header, data: data, length: length)
    let error = #expect(throws: GeneratorError.self) { try open(bytes) }
    #expect(error?.code == .badCheckpoint)
    #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
  }

  @Test("64-bit integers are skipped, 64-bit floats refused")
  func elementTypes() throws {
    let integers = Self.header.replacingOccurrences(
      of: "\"F16\",\"shape\":[4]", with: "\"I64\",\"shape\":[1]")
    #expect(try open(file(integers)).weights().keys.sorted() == ["x"])
    let floats = Self.header.replacingOccurrences(
      of: "\"F16\",\"shape\":[4]", with: "\"F64\",\"shape\":[1]")
    #expect(throws: GeneratorError.self) { try open(file(floats)).weights() }
  }

  @Test("mutated headers never trap, and what is accepted lies inside the file")
  func survivesMutations() {
    let rounds = ProcessInfo.processInfo.environment["GROUNDWELL_FUZZ"].flatMap(Int.init) ?? 20_000
    var random = TorchRandom(seed: 3)
    func number(_ below: Int) -> Int {
      Int(abs(random.normals(1)[0]) * 1e6) % below
    }
    let interesting = Array(#"0123456789-+eE.,:{}[]" \x"#.utf8) + [0, 0x80, 0xFF]
    let good = Array(Self.header.utf8)
    var accepted = 0
    for _ in 0..<rounds {
      var bytes = good
      for _ in 0...number(4) {
        let at = number(bytes.count)
        switch number(4) {
        case 0: bytes[at] = interesting[number(interesting.count)]
        case 1: bytes.insert(interesting[number(interesting.count)], at: at)
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + number(8)))
        default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 12)], at: at)
        }
        if bytes.isEmpty { bytes = [0] }
      }
      let total = 8 + bytes.count + number(64)
      let entries = try? SafetensorsFile.entries(
        header: bytes, dataStart: 8 + bytes.count, fileBytes: total, name: "fuzz")
      guard let entries else { continue }
      accepted += 1
      for entry in entries.values {
        guard entry.range.lowerBound >= 8 + bytes.count, entry.range.upperBound <= total else {
          Issue.record("accepted \(entry) of \(total) bytes")
          return
        }
      }
    }
    #expect(accepted > 0 && accepted < rounds)
    Figures.record("fuzzed headers accepted of \(rounds)", Double(accepted), Double(rounds))
  }
}
