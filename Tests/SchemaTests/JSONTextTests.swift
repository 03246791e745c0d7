import Foundation
import Schema
import Testing

/// JSON at its limits and broken JSON.
@Suite struct JSONTextTests {
  private func nested(_ depth: Int, _ open: String = "[", _ close: String = "]") -> [UInt8] {
    Array((String(repeating: open, count: depth) + String(repeating: close, count: depth)).utf8)
  }

  @Test("nesting at the limit passes, one level more is refused")
  func limitsDepth() throws {
    try JSONText.check(nested(32), maximumDepth: 32)
    expectRefused(.badJSON, "JSON nests deeper than 32 levels") {
      try JSONText.check(nested(33), maximumDepth: 32)
    }
    expectRefused(.badJSON, "JSON nests deeper than 32 levels") {
      try JSONText.decode(RequestHead.self, from: nested(500_000, "{\"a\":", "}"))
    }
  }

  @Test("brackets inside strings are not nesting, whatever is escaped around them")
  func ignoresStrings() throws {
    try JSONText.check(Array(#"{"a":"[[[[","b":"\"[[[["}"#.utf8), maximumDepth: 1)
    try JSONText.check(Array(#"{"a":"\\","b":[]}"#.utf8), maximumDepth: 2)
    expectRefused(.badJSON, "JSON nests deeper than 1 levels") {
      try JSONText.check(Array(#"{"a":"\\","b":[]}"#.utf8), maximumDepth: 1)
    }
  }

  @Test(
    "text that is no JSON is refused as such",
    arguments: [
      "", " ", "{", "}", "]]]]", "{\"a\":}", "{'a':1}", "nul", "{\"method\":\"a\"", "\u{0}",
    ])
  func refusesBroken(text: String) {
    expectRefused(.badJSON, "not JSON") {
      try JSONText.decode(RequestHead.self, from: Array(text.utf8))
    }
  }

  @Test("bytes that are no UTF-8 are refused")
  func refusesBytes() {
    for bytes in [[0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x7D], [0xFF], [0x00, 0x7B]] as [[UInt8]] {
      #expect(throws: SchemaError.self) {
        _ = try JSONText.decode(RequestHead.self, from: bytes)
      }
    }
  }

  @Test("a missing key, another type and a number out of range name the place")
  func namesPlaces() {
    func refused(_ message: String, _ text: String, line: SourceLocation = #_sourceLocation) {
      expectRefused(.invalidArgument, message, sourceLocation: line) {
        try JSONText.decode(Backfill.Params.self, from: Array(text.utf8))
      }
    }
    refused("goals is missing", "{}")
    refused("goals is not a list", #"{"goals":3}"#)
    refused("goals.[0].target is missing", #"{"goals":[{"category":"cat"}]}"#)
    refused("image_size is not an integer", #"{"goals":[],"image_size":"big"}"#)
    refused("companions is not true or false", #"{"goals":[],"companions":1}"#)
    refused("the value is not an object of the expected form", "[]")
  }

  @Test("numbers that do not fit are refused, not cut")
  func refusesNumbers() {
    for number in ["1e400", "9223372036854775808", "1.5", "-9223372036854775809"] {
      let text = #"{"goals":[],"seed":\#(number)}"#
      let error = #expect(throws: SchemaError.self) {
        _ = try JSONText.decode(Backfill.Params.self, from: Array(text.utf8))
      }
      #expect(error?.code == .invalidArgument || error?.code == .badJSON, "\(number)")
    }
  }

  @Test("unknown keys are ignored, known ones may be left out where they are optional")
  func ignoresUnknown() throws {
    let text = #"{"goals":[{"category":"cat","target":3,"x":[]}],"newer":{"a":1}}"#
    let params = try JSONText.decode(Backfill.Params.self, from: Array(text.utf8))
    #expect(params.goals.map(\.target) == [3])
    #expect(params.seed == nil)
  }

  @Test("keys are written in snake case and alphabetical order, without white space")
  func writesKeys() throws {
    let lease = LeaseReference(job: 1, ordinal: 2, token: 3)
    #expect(
      String(decoding: try JSONText.encode(WorkRenew.Params(leases: [lease])), as: UTF8.self)
        == #"{"leases":[{"job":1,"ordinal":2,"token":3}]}"#)
    let limits = String(decoding: try JSONText.encode(Limits()), as: UTF8.self)
    #expect(limits.hasPrefix(#"{"maximum_attempts":3,"maximum_batch_bytes":268435456,"#))
  }

  @Test("a category is kept as it is as a key, spaces, dashes and capitals alike")
  func keepsDictionaryKeys() throws {
    var result = StreamOpen.exampleResult
    result.filled = ["potted plant": 3, "t-rex": 1, "3d model": 2, "éléphant": 4]
    let read = try JSONText.decode(StreamOpen.Result.self, from: JSONText.encode(result))
    #expect(read == result)
  }

  @Test("a number without JSON text is refused")
  func refusesInfinity() {
    let error = #expect(throws: SchemaError.self) {
      _ = try JSONText.encode(JobWait.Params(jobs: [], waitSeconds: .infinity))
    }
    #expect(error?.code == .badJSON)
    #expect(error?.message.hasPrefix("a value has no JSON text") == true)
  }

  @Test("an id is an integer or a text of at most 64 bytes")
  func readsIDs() throws {
    func id(_ text: String) throws -> RequestID? {
      try JSONText.decode(
        RequestHead.self, from: Array(#"{"jsonrpc":"2.0","method":"ping","id":\#(text)}"#.utf8)
      ).id
    }
    #expect(try id("7") == .number(7))
    #expect(try id("\"seven\"") == .text("seven"))
    #expect(try id("null") == nil)
    let longest = String(repeating: "x", count: 64)
    #expect(try id("\"\(longest)\"") == .text(longest))
    expectRefused(.invalidArgument, "id has 65 bytes; at most 64") { try id("\"\(longest)x\"") }
    for wrong in ["1.5", "true", "[]", "{}"] {
      #expect(throws: SchemaError.self) { _ = try id(wrong) }
    }
  }

  @Test("random changes to requests are read or refused, never worse", arguments: 0..<8)
  func survivesMutations(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let originals = try GoldenFiles.frames().sorted { $0.key < $1.key }.map(\.value.json)
    var refusals = 0
    for round in 0..<500 {
      var bytes = originals[round % originals.count]
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        if Bool.random(using: &random) {
          bytes[index] = UInt8.random(in: 0...255, using: &random)
        } else {
          bytes.removeSubrange(
            index..<min(bytes.count, index + Int.random(in: 1...9, using: &random)))
          if bytes.isEmpty { bytes = [0] }
        }
      }
      do throws(SchemaError) {
        _ = try JSONText.decode(RequestHead.self, from: bytes)
        _ = try JSONText.decode(Request<WorkSubmit.Params>.self, from: bytes)
      } catch {
        refusals += 1
        #expect([.badJSON, .invalidArgument, .badCategory].contains(error.code))
        #expect(error.message.utf8.count < 2000)
      }
    }
    #expect(refusals > 100)
  }
}
