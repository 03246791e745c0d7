import Schema
import TestSupport
import Testing

@testable import Store

/// Every codec gives back what it was given, and refuses what is no encoding.
@Suite struct CodecTests {
  @Test("an image of any size and content comes back exactly", arguments: [1, 2, 7, 16, 33, 64])
  func imageRoundTrip(side: Int) throws {
    var random = SeededGenerator(UInt64(side))
    let noise = RGBImage(
      width: side, height: side + 3, pixels: random.bytes(side * (side + 3) * 3))
    let ramp = RGBImage(
      width: side, height: side,
      pixels: (0..<(side * side * 3)).map { UInt8(truncatingIfNeeded: $0 / 3 / side * 2) })
    for image in [noise, ramp] {
      let blob = BlobCodec.encode(image)
      #expect(
        try BlobCodec.image(blob, width: image.width, height: image.height, of: 1) == image)
    }
  }

  @Test("planes are G, R-G, B-G with rows minus the row above, worked out by hand")
  func planesByHand() {
    let image = RGBImage(width: 1, height: 2, pixels: [10, 20, 30, 5, 25, 40])
    #expect(PlanarDelta.encode(image) == [20, 5, 246, 246, 10, 5])
    #expect(PlanarDelta.decode([20, 5, 246, 246, 10, 5], width: 1, height: 2) == image.pixels)
  }

  @Test("a smooth image becomes much smaller; noise stays as it is")
  func choosesCodec() {
    let smooth = RGBImage(width: 64, height: 64, pixels: Array(repeating: 7, count: 64 * 64 * 3))
    #expect(BlobCodec.encode(smooth).payload.count < 200)
    var random = SeededGenerator(3)
    let noise = RGBImage(width: 64, height: 64, pixels: random.bytes(64 * 64 * 3))
    #expect(BlobCodec.encode(noise).codec == .raw)
  }

  @Test("a mask comes back exactly, by runs or by bits, whichever is shorter")
  func maskRoundTrip() throws {
    var random = SeededGenerator(4)
    let noisy = BinaryMask(width: 31, height: 9, values: random.bytes(279).map { $0 & 1 })
    let band = BinaryMask(
      width: 31, height: 9, values: (0..<279).map { $0 < 100 ? 0 : $0 < 200 ? 1 : 0 })
    let full = BinaryMask(width: 31, height: 9, values: Array(repeating: 1, count: 279))
    for mask in [noisy, band, full] {
      #expect(try BlobCodec.mask(BlobCodec.encode(mask), width: 31, height: 9, of: 1) == mask)
    }
    #expect(BlobCodec.encode(noisy).codec == .bitsLZ4)
    #expect(BlobCodec.encode(band).codec == .runsLZ4)
  }

  @Test("runs begin with zeros and use LEB128, worked out by hand")
  func runsByHand() {
    #expect(MaskRuns.encode([0, 0, 1, 1, 1, 0]) == [2, 3, 1])
    #expect(MaskRuns.encode([1]) == [0, 1])
    #expect(MaskRuns.encode(Array(repeating: 0, count: 300)) == [0xAC, 0x02])
  }

  @Test("runs and bits of any mask are what the definitions say, pixel by pixel")
  func asDefined() {
    var random = SeededGenerator(12)
    for count in 0..<200 {
      // Long runs and short ones.
      var values: [UInt8] = []
      while values.count < count {
        let length = Int.random(in: 1...(count % 2 == 0 ? 3 : 40), using: &random)
        values += Array(repeating: UInt8.random(in: 0...1, using: &random), count: length)
      }
      values = Array(values.prefix(count))
      let bits = (0..<(count + 7) / 8).map { byte in
        (0..<8).reduce(UInt8(0)) { sum, bit in
          8 * byte + bit < count ? sum | values[8 * byte + bit] << UInt8(bit) : sum
        }
      }
      #expect(MaskBits.encode(values) == bits)
      var (runs, current, length): ([UInt8], UInt8, UInt8) = ([], 0, 0)
      for value in values {
        if value != current { (runs, current, length) = (runs + [length], value, 0) }
        length += 1
      }
      // Here no run is so long that it takes two bytes.
      if runs.allSatisfy({ $0 < 128 }), length < 128 {
        #expect(MaskRuns.encode(values) == runs + [length])
      }
    }
  }

  @Test("damaged payloads are refused, and none traps")
  func damagedPayloads() throws {
    let triplet = try Triplet.sample(seed: 5, side: 16)
    let smooth = RGBImage(width: 16, height: 16, pixels: Array(repeating: 9, count: 768))
    let blobs = [BlobCodec.encode(smooth), BlobCodec.encode(triplet.masks[0].mask)]
    var random = SeededGenerator(6)
    var refused = 0
    for round in 0..<4000 {
      let blob = blobs[round % 2]
      var payload = blob.payload
      switch round % 3 {
      case 0: payload.removeLast(Int.random(in: 1...payload.count, using: &random))
      case 1: payload[payload.indices.randomElement(using: &random) ?? 0] ^= 0x55
      default: payload = random.bytes(40)
      }
      let damaged = EncodedBlob(
        codec: blob.codec, payload: payload, decodedBytes: blob.decodedBytes)
      do throws(StoreError) {
        if round % 2 == 0 {
          _ = try BlobCodec.image(damaged, width: 16, height: 16, of: 9)
        } else {
          _ = try BlobCodec.mask(damaged, width: 16, height: 16, of: 9)
        }
      } catch {
        #expect(error.code == .corrupt)
        #expect(error.message.hasPrefix("triplet 9: "))
        refused += 1
      }
    }
    #expect(refused > 2000)
  }

  @Test("a blob of another kind or size is refused by name")
  func wrongKind() throws {
    let blob = BlobCodec.encode(try Triplet.sample().image)
    let error = #expect(throws: StoreError.self) {
      _ = try BlobCodec.image(blob, width: 17, height: 16, of: 3)
    }
    #expect(error?.message == "triplet 3: 768 bytes of codec 0 give no image of 17x16")
  }
}
