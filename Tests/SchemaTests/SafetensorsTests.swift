import Foundation
@testable import Schema
import TestSupport
import Testing

/// Bodies: round trips, the rules on the wire, and every way a header can be broken.
@Suite struct SafetensorsTests {
  private static func body(_ header: String, data: [UInt8] = []) -> [UInt8] {
    UInt64(header.utf8.count).littleEndianBytes + Array(header.utf8) + data
  }

  private static func entry(
    _ dtype: String = "U8", _ shape: String = "[4]", _ offsets: String = "[0,4]"
  ) -> String {
    #"{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}"#
  }

  private static let samples: [(name: String, type: ElementType, shape: [Int], bytes: [UInt8])] =
    [
      ("image", .u8, [2, 3, 5], (0..<30).map { UInt8($0) }),
      ("labels", .u16, [7], (0..<14).map { UInt8($0) }),
      ("category", .i32, [3], (0..<12).map { UInt8($0) }),
      ("triplet", .i64, [3], (0..<24).map { UInt8($0) }),
      ("probability", .f32, [3, 1], (0..<12).map { UInt8($0) }),
      ("scalar", .f32, [], [1, 2, 3, 4]), ("none", .u8, [0, 9], []),
    ]

  @Test("what is written is read back, each tensor with its own bytes")
  func roundTrip() throws {
    let body = Safetensors.encode(Self.samples)
    let tensors = try Safetensors.decode(body)
    #expect(tensors.count == Self.samples.count)
    for sample in Self.samples {
      let tensor = try #require(tensors[sample.name])
      #expect(tensor.type == sample.type)
      #expect(tensor.shape == sample.shape)
      #expect(Array(body[tensor.range]) == sample.bytes)
    }
  }

  @Test("tensors start at multiples of 64, lie in order, and leave no hole")
  func aligns() throws {
    var random = SeededGenerator(1)
    for _ in 0..<200 {
      let tensors = (0..<Int.random(in: 1...6, using: &random)).map { index in
        (
          name: "tensor \(index)", type: ElementType.allCases.randomElement(using: &random) ?? .u8,
          shape: (0..<Int.random(in: 0...3, using: &random)).map { _ in
            Int.random(in: 0...9, using: &random)
          }
        )
      }
      let plan = Safetensors.plan(tensors)
      let body = Safetensors.encode(
        tensors.map {
          (
            $0.name, $0.type, $0.shape,
            [UInt8](repeating: 9, count: $0.shape.reduce($0.type.bytes, *))
          )
        })
      #expect(body.count == plan.totalBytes)
      #expect(plan.header.count % Safetensors.alignment == 0)
      let found = try Safetensors.decode(body)  // Refuses holes and overlaps.
      #expect(found == plan.tensors)
      let starts = tensors.compactMap { found[$0.name]?.range.lowerBound }
      #expect(starts.count == tensors.count)
      #expect(starts == starts.sorted())
      #expect(starts.allSatisfy { $0 % Safetensors.alignment == 0 })
    }
  }

  @Test("the format's own test of a header: names, types and offsets are what stock readers expect")
  func headerText() throws {
    let body = Safetensors.encode([
      ("a", .u8, [3], [1, 2, 3]), ("b", .i32, [1], [4, 0, 0, 0]),
    ])
    let length = Int(UInt64(littleEndianBytes: body[0..<8]))
    let text = String(decoding: body[8..<(8 + length)], as: UTF8.self)
    #expect(
      text.trimmingCharacters(in: .whitespaces)
        == #"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"#
        + #""__pad0":{"dtype":"U8","shape":[61],"data_offsets":[3,64]},"#
        + #""b":{"dtype":"I32","shape":[1],"data_offsets":[64,68]}}"#)
    #expect((8 + length) % 64 == 0)
    #expect(
      Array(body[(8 + length)...]) == [1, 2, 3] + [UInt8](repeating: 0, count: 61) + [4, 0, 0, 0])
  }

  @Test("the same tensors give the same bytes")
  func isDeterministic() {
    #expect(Safetensors.encode(Self.samples) == Safetensors.encode(Self.samples))
  }

  @Test("metadata is skipped")
  func skipsMetadata() throws {
    let body = Self.body(
      #"{"__metadata__":{"format":"pt"},"x":\#(Self.entry())}"#, data: [1, 2, 3, 4])
    #expect(try Safetensors.decode(body).keys.sorted() == ["x"])
  }

  static let broken: [(body: [UInt8], message: String)] = [
    ([], "body: 0 bytes; expected at least 8"),
    ([0, 0, 0, 0, 0, 0, 0], "body: 7 bytes; expected at least 8"),
    (
      [0, 0, 0, 0, 0, 0, 0, 0, 1],
      "body: header of 0 bytes in a body of 9; at most 1048576"
    ),
    (
      [UInt8](repeating: 255, count: 8),
      "body: header of 18446744073709551615 bytes in a body of 8; at most 1048576"
    ),
    (
      UInt64(100).littleEndianBytes + [0x7B, 0x7D],
      "body: header of 100 bytes in a body of 10; at most 1048576"
    ),
    (body("{}", data: [1]), "body: 1 bytes behind the last tensor"),
    (body("{ "), "body: its header is not JSON of the safetensors form"),
    (body("[]"), "body: its header is not JSON of the safetensors form"),
    (body("\u{0}\u{0}"), "body: its header is not JSON of the safetensors form"),
    (body(#"{"x":3}"#), "body: the entry of 'x' is broken"),
    (body(#"{"x":{"dtype":"U8","shape":[4]}}"#), "body: the entry of 'x' is broken"),
    (body(#"{"x":\#(entry("U8", "[1.5]"))}"#), "body: the entry of 'x' is broken"),
    (body(#"{"x":\#(entry("U8", "[99999999999999999999]"))}"#), "body: the entry of 'x' is broken"),
    (
      body(#"{"x":\#(entry("F64"))}"#, data: [1, 2, 3, 4]),
      "body: 'x' has element type 'F64', which this side does not read"
    ),
    (
      body(#"{"x":\#(entry("U8", "[-4]"))}"#, data: [1, 2, 3, 4]),
      "body: 'x' has the impossible shape [-4]"
    ),
    (
      body(#"{"x":\#(entry("U8", "[4294967296,4294967296]"))}"#),
      "body: 'x' has the impossible shape [4294967296, 4294967296]"
    ),
    (
      body(#"{"x":\#(entry("I64", "[9223372036854775807]"))}"#),
      "body: 'x' has the impossible shape [9223372036854775807]"
    ),
    (
      body(#"{"x":\#(entry("U8", "[5]"))}"#, data: [1, 2, 3, 4]),
      "body: 'x' [5] lies at [0, 4]; expected 0 to 5 of 4 bytes"
    ),
    (
      body(#"{"x":\#(entry("U8", "[4]", "[1,5]"))}"#, data: [1, 2, 3, 4, 5]),
      "body: 'x' [4] lies at [1, 5]; expected 0 to 4 of 5 bytes"
    ),
    (
      body(#"{"x":\#(entry("U8", "[4]", "[0,4,8]"))}"#, data: [1, 2, 3, 4]),
      "body: 'x' [4] lies at [0, 4, 8]; expected 0 to 4 of 4 bytes"
    ),
    (
      body(#"{"x":\#(entry("U8", "[4]", "[]"))}"#, data: [1, 2, 3, 4]),
      "body: 'x' [4] lies at []; expected 0 to 4 of 4 bytes"
    ),
    (
      body(#"{"x":\#(entry("U8", "[4]", "[-4,0]"))}"#, data: [1, 2, 3, 4]),
      "body: 'x' [4] lies at [-4, 0]; expected 0 to 4 of 4 bytes"
    ),
    (
      body(#"{"x":\#(entry())}"#, data: [1, 2, 3]),
      "body: 'x' [4] lies at [0, 4]; expected 0 to 4 of 3 bytes"
    ),
    (
      body(
        #"{"x":\#(entry("U8", "[2]", "[0,2]")),"y":\#(entry("U8", "[3]", "[1,4]"))}"#,
        data: [1, 2, 3, 4]),
      "body: 'y' [3] lies at [1, 4]; expected 2 to 5 of 4 bytes"
    ),
    (
      body(
        #"{"x":\#(entry("U8", "[1]", "[0,1]")),"y":\#(entry("U8", "[1]", "[3,4]"))}"#,
        data: [1, 2, 3, 4]),
      "body: 'y' [1] lies at [3, 4]; expected 1 to 2 of 4 bytes"
    ),
  ]

  @Test("a broken body is refused with what is wrong in it", arguments: broken)
  func refusesBroken(entry: (body: [UInt8], message: String)) {
    expectRefused(.badBody, entry.message) { try Safetensors.decode(entry.body) }
  }

  @Test("a header of a byte more than 1 MiB is refused, one of 1 MiB is read")
  func limitsHeader() throws {
    func padded(_ length: Int) -> [UInt8] {
      UInt64(length).littleEndianBytes + [0x7B, 0x7D]
        + [UInt8](repeating: 0x20, count: length - 2)
    }
    let limit = Safetensors.maximumHeaderBytes
    #expect(try Safetensors.decode(padded(limit)).isEmpty)
    expectRefused(
      .badBody, "body: header of 1048577 bytes in a body of 1048585; at most 1048576"
    ) { try Safetensors.decode(padded(limit + 1)) }
  }

  @Test("a header that nests deeply is refused before it is parsed")
  func refusesDeep() {
    let deep = String(repeating: "[", count: 400_000) + String(repeating: "]", count: 400_000)
    expectRefused(.badBody, "body: its header: JSON nests deeper than 8 levels") {
      try Safetensors.decode(Self.body(#"{"x":\#(deep)}"#))
    }
  }

  @Test("20,000 random changes to bodies are read or refused, never worse", arguments: 0..<10)
  func survivesMutations(seed: Int) throws {
    var random = SeededGenerator(UInt64(100 + seed))
    let originals = [
      TripletBody.encode(image: GoldenFiles.image, masks: [GoldenFiles.mask]),
      Safetensors.encode([("image", .u8, [2], [1, 2]), ("masks", .i64, [1], Array(0..<8))]),
    ]
    var (refusals, plain) = (0, 0)
    for round in 0..<2000 {
      let body = Self.mutated(originals[round % 2], &random)
      // What the quick reader takes, the general one reads alike.
      if let start = try? Safetensors.headerBytes(body, totalBytes: body.count),
        let entries = SafetensorsHeader.plainEntries(body[8..<start])
      {
        plain += 1
        #expect(try Safetensors.parsed(body[8..<start]) == entries)
      }
      do throws(SchemaError) {
        for (name, tensor) in try Safetensors.decode(body) {
          #expect(tensor.range.upperBound <= body.count, "\(name)")
          #expect(tensor.range.count == tensor.shape.reduce(tensor.type.bytes, *), "\(name)")
        }
        _ = try TripletBody.decode(body)
      } catch {
        refusals += 1
        #expect(error.code == .badBody)
      }
    }
    #expect(refusals > 500 && plain > 100)
  }

  /// Changes 1 to 4 places, most of them in the header, where structure is.
  private static func mutated(_ original: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    let interesting = Array("0123456789-[]{},:\"e.U8".utf8)
    var body = original
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      guard !body.isEmpty else { return body }
      let reach = Bool.random(using: &random) ? min(200, body.count) : body.count
      let index = Int.random(in: 0..<reach, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: body[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: body[index] = interesting.randomElement(using: &random) ?? 0
      case 2: body.insert(interesting.randomElement(using: &random) ?? 0, at: index)
      case 3: body.remove(at: index)
      default: body.removeLast(body.count - index)
      }
    }
    return body
  }

  @Test("a reserved name, a name there twice and a wrong size are bugs and trap")
  func traps() async {
    await #expect(processExitsWith: .failure) { _ = Safetensors.plan([("__pad0", .u8, [1])]) }
    await #expect(processExitsWith: .failure) {
      _ = Safetensors.plan([("a", .u8, [1]), ("a", .u8, [1])])
    }
    await #expect(processExitsWith: .failure) {
      _ = Safetensors.encode([("a", .u16, [2], [1, 2, 3])])
    }
  }
}
