import Schema
import Testing

/// Frame headers and the decoder, in one piece and in many.
@Suite struct FrameTests {
  private static let json = Array(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.utf8)

  private func header(_ change: (inout [UInt8]) -> Void = { _ in }) throws -> FrameHeader {
    var bytes = WireFrame(json: [0x7B, 0x7D]).header
    change(&bytes)
    return try FrameHeader(bytes[...], maximumBodyBytes: 1000)
  }

  @Test("a header has the bytes of the table in schema/README.md")
  func writesTable() {
    let frame = WireFrame(
      json: Self.json, body: [UInt8](repeating: 7, count: 300), descriptorCount: 2)
    #expect(
      frame.header
        == [0x47, 0x57, 0x46, 0x31, 1, 0, 2, 0, UInt8(Self.json.count), 0, 0, 0, 0x2C, 1, 0, 0])
    #expect(frame.bytes == frame.header + Self.json + frame.body)
  }

  @Test("every field outside its range is refused with found and expected")
  func refusesFields() throws {
    expectRefused(.badFrame, "frame starts with 0x31465748; expected magic 'GWF1' (0x31465747)") {
      try header { $0[0] = 0x48 }
    }
    expectRefused(.badFrame, "frame version 2; this side speaks 1") { try header { $0[4] = 2 } }
    expectRefused(.badFrame, "frame version 0; this side speaks 1") { try header { $0[4] = 0 } }
    expectRefused(.badFrame, "frame flags 1 and reserved byte 0; expected 0 and 0") {
      try header { $0[5] = 1 }
    }
    expectRefused(.badFrame, "frame flags 0 and reserved byte 9; expected 0 and 0") {
      try header { $0[7] = 9 }
    }
    expectRefused(.badFrame, "frame announces 5 descriptors; at most 4") {
      try header { $0[6] = 5 }
    }
    expectRefused(.badFrame, "frame announces 1 bytes of JSON; expected 2 to 1048576") {
      try header { $0[8] = 1 }
    }
    expectRefused(.badFrame, "frame announces 1048577 bytes of JSON; expected 2 to 1048576") {
      try header { $0.replaceSubrange(8..<12, with: [1, 0, 16, 0]) }
    }
    expectRefused(.badFrame, "frame announces 4294967295 bytes of JSON; expected 2 to 1048576") {
      try header { $0.replaceSubrange(8..<12, with: [255, 255, 255, 255]) }
    }
    expectRefused(.badFrame, "frame announces a body of 1001 bytes; at most 1000") {
      try header { $0.replaceSubrange(12..<16, with: [0xE9, 3, 0, 0]) }
    }
  }

  @Test("a field at its limit is accepted")
  func acceptsLimits() throws {
    let found = try header {
      $0[6] = 4
      $0.replaceSubrange(8..<16, with: [0, 0, 16, 0, 0xE8, 3, 0, 0])
    }
    #expect(found == FrameHeader(jsonBytes: 1 << 20, bodyBytes: 1000, descriptorCount: 4))
  }

  private static let frames = [
    WireFrame(json: json), WireFrame(json: [0x7B, 0x7D], descriptorCount: 4),
    WireFrame(json: json, body: (0..<997).map { UInt8(truncatingIfNeeded: $0) }),
    WireFrame(json: json, body: [1]),
  ]
  private static let stream = frames.flatMap(\.bytes)

  private func drained(_ decoder: inout FrameDecoder) throws -> [WireFrame] {
    var found: [WireFrame] = []
    while let frame = try decoder.next() { found.append(frame) }
    return found
  }

  @Test("frames that come byte by byte are the frames that were sent")
  func decodesDrip() throws {
    var decoder = FrameDecoder(maximumBodyBytes: 1000)
    var found: [WireFrame] = []
    for byte in Self.stream {
      #expect(decoder.missingBytes > 0)
      decoder.append([byte])
      found += try drained(&decoder)
    }
    #expect(found == Self.frames)
    #expect(!decoder.isMidFrame)
  }

  @Test("frames that come all at once are the frames that were sent")
  func decodesGlued() throws {
    var decoder = FrameDecoder(maximumBodyBytes: 1000)
    decoder.append(Self.stream)
    #expect(try drained(&decoder) == Self.frames)
    #expect(!decoder.isMidFrame)
  }

  @Test("frames in random pieces are the frames that were sent", arguments: 0..<50)
  func decodesPieces(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    var decoder = FrameDecoder(maximumBodyBytes: 1000)
    let sent = (0..<4).flatMap { _ in Self.frames }.shuffled(using: &random)
    var rest = sent.flatMap(\.bytes)[...]
    var found: [WireFrame] = []
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...700, using: &random))
      rest = rest.dropFirst(piece.count)
      decoder.append(piece)
      if Bool.random(using: &random) { found += try drained(&decoder) }
    }
    found += try drained(&decoder)
    #expect(found == sent)
  }

  @Test("more than 64 KiB of frames leave no bytes behind in the decoder")
  func compacts() throws {
    var decoder = FrameDecoder(maximumBodyBytes: 1000)
    for _ in 0..<200 {
      decoder.append(Self.stream)
      #expect(try drained(&decoder) == Self.frames)
    }
    #expect(!decoder.isMidFrame)
    #expect(decoder.missingBytes == WireFrame.headerBytes)
  }

  @Test("a truncated frame is never handed out, and the decoder knows what is missing")
  func keepsTruncated() throws {
    let whole = WireFrame(json: Self.json, body: [1, 2, 3]).bytes
    for length in 0..<whole.count {
      var decoder = FrameDecoder(maximumBodyBytes: 1000)
      decoder.append(whole.prefix(length))
      #expect(try decoder.next() == nil)
      #expect(decoder.isMidFrame == (length > 0))
      #expect(
        decoder.missingBytes == (length < 16 ? 16 - length : whole.count - length), "\(length)")
    }
  }

  @Test("a broken header is refused before its body has come")
  func refusesEarly() throws {
    var decoder = FrameDecoder(maximumBodyBytes: 10)
    decoder.append(WireFrame(json: Self.json, body: [UInt8](repeating: 0, count: 11)).header)
    expectRefused(.badFrame, "frame announces a body of 11 bytes; at most 10") {
      try decoder.next()
    }
  }

  @Test("numbers are written lowest byte first and read back")
  func littleEndian() {
    #expect(UInt32(0x0403_0201).littleEndianBytes == [1, 2, 3, 4])
    #expect(Int64(-2).littleEndianBytes == [254] + [UInt8](repeating: 255, count: 7))
    for value in [Int32.min, -1, 0, 1, .max] {
      #expect(Int32(littleEndianBytes: value.littleEndianBytes) == value)
    }
    #expect(UInt64(littleEndianBytes: UInt64.max.littleEndianBytes) == .max)
  }

  @Test("a wrong count of bytes for a number is a bug and traps")
  func trapsOnBytes() async {
    await #expect(processExitsWith: .failure) { _ = UInt32(littleEndianBytes: [1, 2, 3]) }
  }
}
