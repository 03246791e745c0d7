import Schema
import TestSupport
import Testing

@testable import Store

/// Masks painted into label maps and filled into bytes, straight from their blobs.
@Suite struct MaskCodecTests {
  private static func fill(
    _ payload: [UInt8], _ codec: PackLayout.Codec, _ width: Int, _ height: Int
  ) throws(StoreError) -> [UInt8] {
    let blob = EncodedBlob(codec: codec, payload: payload, decodedBytes: width * height)
    return try BlobCodec.mask(blob, width: width, height: height, of: 9).values
  }

  private static func paint(
    _ payload: [UInt8], _ codec: PackLayout.Codec, _ width: Int, _ height: Int
  ) throws(StoreError) -> [UInt16] {
    var room = [UInt16](repeating: 7, count: width * height + 64)
    var failure: StoreError?
    unsafe room.withUnsafeMutableBufferPointer { room in
      unsafe payload.withUnsafeBytes { payload in
        do throws(StoreError) {
          try unsafe BlobCodec.paintMask(
            payload, codec: codec, width: width, height: height, value: 513,
            into: UnsafeMutableBufferPointer(rebasing: room[32..<(32 + width * height)]))
        } catch { failure = error }
      }
    }
    #expect((room.prefix(32) + room.suffix(32)).allSatisfy { $0 == 7 }, "written outside")
    if let failure { throw failure }
    return Array(room[32..<(32 + width * height)])
  }

  private static func masks(_ width: Int, _ height: Int) -> [[UInt8]] {
    var random = SeededGenerator(UInt64(width))
    let count = width * height
    return [
      random.bytes(count).map { $0 & 1 }, Array(repeating: 0, count: count),
      Array(repeating: 1, count: count),
      (0..<count).map { $0 % width > width / 3 && $0 % width < width / 2 ? 1 : 0 },
    ]
  }

  @Test(
    "a mask of either codec fills bytes and paints labels exactly",
    arguments: [(8, 8), (31, 9), (64, 64), (513, 7), (1, 1)])
  func bothCodecs(width: Int, height: Int) throws {
    for values in Self.masks(width, height) {
      let runs = MaskRuns.encode(values)
      let payloads: [(PackLayout.Codec, [UInt8])] = [
        (.runsLZ4, UInt32(runs.count).littleEndianBytes + LZ4.compress(runs)),
        (.bitsLZ4, LZ4.compress(MaskBits.encode(values))), (.raw, values),
      ]
      for (codec, payload) in payloads {
        // Compared outside the macro, which would take long to describe the difference.
        let isFilled = try Self.fill(payload, codec, width, height) == values
        #expect(isFilled, "codec \(codec.rawValue)")
        let painted = values.map { $0 == 1 ? UInt16(513) : 7 }
        let isPainted = try Self.paint(payload, codec, width, height) == painted
        #expect(isPainted, "codec \(codec.rawValue)")
      }
    }
  }

  @Test("runs that are too long, too short, unfinished or too large a number are refused")
  func refusesRuns() throws {
    func blob(_ runs: [UInt8]) -> [UInt8] {
      UInt32(runs.count).littleEndianBytes + LZ4.compress(runs)
    }
    #expect(try Self.fill(blob([0xAC, 0x02]), .runsLZ4, 30, 10) == Array(repeating: 0, count: 300))
    #expect(try Self.fill(blob([2, 0, 2, 2]), .runsLZ4, 2, 3) == [0, 0, 0, 0, 1, 1])
    for runs: [UInt8] in [
      [2, 3], [2, 3, 2], [6, 0x80], [0x86, 0x80, 0x80, 0x80, 0x80, 0],
      [0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
    ] {
      #expect(throws: StoreError.self) { try Self.fill(blob(runs), .runsLZ4, 2, 3) }
      #expect(throws: StoreError.self) { try Self.paint(blob(runs), .runsLZ4, 2, 3) }
    }
    #expect(throws: StoreError.self) { try Self.fill([0, 1, 2, 1, 0, 1], .raw, 2, 3) }
    #expect(throws: StoreError.self) { try Self.paint([0, 1, 2, 1, 0, 1], .raw, 2, 3) }
    #expect(throws: StoreError.self) { try Self.paint([1, 0, 0], .runsLZ4, 2, 3) }
  }

  @Test("damaged masks are refused or give other masks; none traps or writes outside")
  func damagedMasks() throws {
    var random = SeededGenerator(5)
    var refused = 0
    for round in 0..<2000 {
      let values = Self.masks(37, 21)[round % 4]
      let blob = BlobCodec.encode(BinaryMask(width: 37, height: 21, values: values))
      var payload = blob.payload
      switch round % 3 {
      case 0: payload.removeLast(Int.random(in: 1...payload.count, using: &random))
      case 1: payload[Int.random(in: 0..<payload.count, using: &random)] ^= UInt8(1 << (round % 8))
      default: payload = random.bytes(Int.random(in: 0...60, using: &random))
      }
      let codec = round % 2 == 0 ? blob.codec : .runsLZ4
      do throws(StoreError) {
        _ = try Self.paint(payload, codec, 37, 21)
        _ = try Self.fill(payload, codec, 37, 21)
      } catch {
        #expect(error.code == .corrupt)
        refused += 1
      }
    }
    #expect(refused > 1000 && refused < 2000)
  }
}
