import CCodec
import Schema
import TestSupport
import Testing

@testable import Store

/// The bit-plane codec: lossless at every machine level, and unmoved by damaged payloads.
///
/// The machine level is one value for the process, so these tests run one after the other.
@Suite(.serialized) struct ImageCodecTests {
  private static let levels = [GC_BASELINE, GC_AVX2, GC_AVX512]
  private static let sizes = [
    (1, 1), (8, 8), (9, 8), (7, 23), (64, 64), (65, 17), (63, 40), (127, 129), (130, 31),
    (511, 70), (512, 130), (2048, 33), (2047, 17), (2049, 9), (4096, 8),
  ]

  /// Pictures that exercise every way of the encoder: noise, walks, repeated 2x2 blocks, steps, flat.
  private static func picture(_ kind: Int, _ width: Int, _ height: Int) -> RGBImage {
    var random = SeededGenerator(UInt64(kind * 31 + width))
    let noise = random.bytes(width * height * 3)
    let pixels = (0..<(width * height * 3)).map { index -> UInt8 in
      let (y, x, channel) = (index / 3 / width, index / 3 % width, index % 3)
      switch kind {
      case 0: return noise[index]
      case 1: return UInt8(truncatingIfNeeded: x + 2 * y) &+ noise[index] & 3
      case 2: return noise[(y / 2 * width + x / 2) * 3 + channel] & 7 &+ 100
      case 3: return x / 9 % 2 == y / 5 % 2 ? 255 : 0
      default: return 77
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  private static func packed(_ image: RGBImage, effort: Int32) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: gc_encode_bound(image.width, image.height)) {
      output, count in
      count = unsafe image.pixels.withUnsafeBufferPointer {
        unsafe gc_encode_image(
          $0.baseAddress, image.width, image.height, effort, output.baseAddress)
      }
    }
  }

  /// Decodes into the middle of a larger buffer and expects what lies around it untouched.
  private static func decode(
    _ payload: [UInt8], _ width: Int, _ height: Int, _ layout: BlobCodec.ImageLayout,
    bands: Range<Int>? = nil, onto: UInt8 = 0xA5
  ) throws(StoreError) -> [UInt8] {
    let (guarded, count) = (96, width * height * 3)
    var room = [UInt8](repeating: onto, count: count + 2 * guarded)
    var failure: StoreError?
    unsafe room.withUnsafeMutableBytes { room in
      unsafe payload.withUnsafeBytes { payload in
        do throws(StoreError) {
          try unsafe BlobCodec.decodeImage(
            payload, codec: .bitPlanesLZ4, width: width, height: height,
            into: UnsafeMutableRawBufferPointer(rebasing: room[guarded..<(guarded + count)]),
            layout: layout, bands: bands)
        } catch { failure = error }
      }
    }
    #expect(room.prefix(guarded).allSatisfy { $0 == onto }, "bytes before the image were written")
    #expect(room.suffix(guarded).allSatisfy { $0 == onto }, "bytes behind the image were written")
    if let failure { throw failure }
    return Array(room[guarded..<(guarded + count)])
  }

  private static func planar(_ image: RGBImage) -> [UInt8] {
    (0..<3).flatMap { channel in
      stride(from: channel, to: image.pixels.count, by: 3).map { image.pixels[$0] }
    }
  }

  @Test("every size and kind of picture comes back exactly at every machine level, in both layouts")
  func losslessAtEveryLevel() throws {
    defer { _ = gc_limit_level(Int32(GC_AVX512)) }
    for (width, height) in Self.sizes {
      for kind in 0..<5 {
        let image = Self.picture(kind, width, height)
        let payload = Self.packed(image, effort: [4, 0, -1][kind % 3])
        let planar = Self.planar(image)
        for level in Self.levels {
          _ = gc_limit_level(Int32(level))
          // Compared outside the macro, which would take minutes to describe the difference.
          let isSame = try Self.decode(payload, width, height, .interleaved) == image.pixels
          #expect(isSame, "\(width)x\(height), kind \(kind), level \(level)")
          let isPlanarSame = try Self.decode(payload, width, height, .planar) == planar
          #expect(isPlanarSame, "\(width)x\(height), kind \(kind), level \(level), planar")
        }
      }
    }
  }

  @Test("random pictures of random odd sizes come back exactly")
  func randomSizes() throws {
    var random = SeededGenerator(11)
    for round in 0..<150 {
      let width = Int.random(in: 1...150, using: &random)
      let height = Int.random(in: 1...90, using: &random)
      let image = Self.picture(round % 5, width, height)
      let blob = BlobCodec.encode(image)
      let isSame = try BlobCodec.image(blob, width: width, height: height, of: 1) == image
      #expect(isSame, "\(width)x\(height), round \(round)")
    }
  }

  @Test("bands decode apart from each other and leave the rest of the image alone")
  func bandsApart() throws {
    let image = Self.picture(1, 512, 200)
    let payload = Self.packed(image, effort: 0)
    #expect(BlobCodec.bandCount(codec: .bitPlanesLZ4, width: 512, height: 200) == 4)
    #expect(BlobCodec.bandCount(codec: .raw, width: 512, height: 200) == 1)
    let second = try Self.decode(payload, 512, 200, .interleaved, bands: 1..<2)
    let bytes = 64 * 512 * 3
    let isSame = second[bytes..<(2 * bytes)] == image.pixels[bytes..<(2 * bytes)]
    #expect(isSame)
    let others = second[..<bytes] + second[(2 * bytes)...]
    let areUntouched = others.allSatisfy { $0 == 0xA5 }
    #expect(areUntouched)
    #expect(throws: StoreError.self) {
      _ = try Self.decode(payload, 512, 200, .interleaved, bands: 3..<5)
    }
  }

  @Test("bit planes worked out by hand: two pixels, one below the other")
  func payloadByHand() {
    let image = RGBImage(width: 1, height: 2, pixels: [10, 20, 30, 5, 25, 40])
    let payload = Self.packed(image, effort: 0)
    // Word: 24 bytes, vertical, stored. G: 20, +5 fold to 40, 10: bits 3 and 5 of row 0, 1 and 3 of
    // row 1. R-G: -10, -10 fold to 19, 19. B-G: 10, +5 fold to 20, 10.
    #expect(Array(payload.prefix(4)) == [24, 0, 0, 0x09])
    #expect(Array(payload[4..<12]) == [0, 2, 0, 3, 0, 1, 0, 0])
    #expect(Array(payload[12..<20]) == [3, 3, 0, 0, 3, 0, 0, 0].map { $0 })
    #expect(Array(payload[20..<28]) == [0, 2, 1, 2, 1, 0, 0, 0])
  }

  @Test("half-resolution texture takes the phase way, a smooth walk does not")
  func choosesPhases() {
    let texture = Self.packed(Self.picture(2, 512, 64), effort: 4)
    #expect(texture[3] & 0x04 != 0)
    let walk = Self.packed(Self.picture(1, 512, 64), effort: 4)
    #expect(walk[3] & 0x04 == 0)
  }

  @Test("damaged payloads are refused or give other pixels; none traps or writes outside")
  func damagedPayloads() throws {
    defer { _ = gc_limit_level(Int32(GC_AVX512)) }
    var random = SeededGenerator(12)
    var refused = 0
    let rounds = 3000
    for round in 0..<rounds {
      let (width, height) = [(64, 64), (33, 19), (512, 80), (70, 16)][round % 4]
      var payload = Self.packed(Self.picture(round / 4 % 5, width, height), effort: 0)
      switch round % 7 {
      case 0: payload.removeLast(Int.random(in: 1...payload.count, using: &random))
      case 1: payload += random.bytes(Int.random(in: 1...40, using: &random))
      case 2: payload[Int.random(in: 0..<4, using: &random)] = random.bytes(1)[0]
      case 3: payload = random.bytes(Int.random(in: 0...200, using: &random))
      default:
        for _ in 0..<Int.random(in: 1...20, using: &random) {
          payload[Int.random(in: 0..<payload.count, using: &random)] ^= UInt8(1 << (round % 8))
        }
      }
      _ = gc_limit_level(Int32(Self.levels[round % 3]))
      do throws(StoreError) {
        _ = try Self.decode(payload, width, height, round % 2 == 0 ? .interleaved : .planar)
        #expect(round % 7 > 1, "a payload that was cut or made longer was taken")
      } catch {
        #expect(error.code == .corrupt)
        refused += 1
      }
    }
    #expect(refused > rounds / 3 && refused < rounds)
  }

  @Test("an unknown flag, no direction, and phases of an odd group are refused")
  func refusesUnknownWords() throws {
    let payload = Self.packed(Self.picture(4, 64, 8), effort: 0)
    for byte in [payload[3] | 0x80, payload[3] | 0x10, payload[3] & 0xFC, payload[3] | 0x04] {
      var changed = payload
      changed[3] = byte
      let error = #expect(throws: StoreError.self) {
        _ = try Self.decode(changed, 64, 8, .interleaved)
      }
      #expect(
        error?.message == "\(payload.count) bytes of codec 2 give no image of 64x8")
    }
  }

  @Test("an image that the first codec stored still decodes, in both layouts")
  func readsTheFirstCodec() throws {
    let image = Self.picture(1, 40, 25)
    let payload = LZ4.compress(PlanarDelta.encode(image))
    let blob = EncodedBlob(
      codec: .planarDeltaLZ4, payload: payload, decodedBytes: image.pixels.count)
    #expect(try BlobCodec.image(blob, width: 40, height: 25, of: 1) == image)
    var planes = [UInt8](repeating: 0, count: image.pixels.count)
    for (codec, bytes) in [(PackLayout.Codec.planarDeltaLZ4, payload), (.raw, image.pixels)] {
      try unsafe planes.withUnsafeMutableBytes { output in
        try unsafe bytes.withUnsafeBytes {
          try unsafe BlobCodec.decodeImage(
            $0, codec: codec, width: 40, height: 25, into: output, layout: .planar)
        }
      }
      let isSame = planes == Self.planar(image)
      #expect(isSame, "codec \(codec.rawValue)")
    }
  }
}
