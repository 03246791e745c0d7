import Foundation
import Imaging
import Schema
import Testing

/// PNG in and out, and what broken files get.
@Suite struct PNGTests {
  private let image = RGBImage(
    width: 5, height: 3, pixels: (0..<45).map { UInt8(truncatingIfNeeded: $0 * 37) })

  @Test("colour survives encoding and decoding")
  func roundTripsRGB() throws {
    #expect(try PNG.decodeRGB(try PNG.encode(image)) == image)
  }

  @Test("straight alpha survives, also colour under alpha 0")
  func roundTripsRGBA() throws {
    let pixels: [UInt8] = [255, 0, 0, 0, 1, 2, 3, 128, 9, 8, 7, 255, 250, 100, 50, 1]
    let source = RGBAImage(width: 2, height: 2, pixels: pixels)
    #expect(try PNG.decodeRGBA(try PNG.encode(source)) == source)
  }

  @Test("a mask is written as 0 and 255")
  func writesMask() throws {
    let mask = BinaryMask(width: 3, height: 1, values: [1, 0, 1])
    #expect(try PNG.decodeGray(try PNG.encode(mask)).pixels == [255, 0, 255])
  }

  @Test("the header tells size, colour and alpha")
  func readsHeader() throws {
    let alpha = try PNG.encode(RGBAImage(width: 1, height: 2, pixels: [1, 2, 3, 4, 5, 6, 7, 8]))
    let header = try PNG.header(of: alpha)
    #expect((header.width, header.height) == (1, 2))
    #expect(header.hasAlpha && header.hasColor)
    #expect(try !PNG.header(of: PNG.encode(image)).hasAlpha)
  }

  @Test("transparent pixels show white when alpha is dropped")
  func compositesOnWhite() throws {
    let source = RGBAImage(width: 1, height: 1, pixels: [10, 20, 30, 0])
    #expect(try PNG.decodeRGB(try PNG.encode(source)).pixels == [255, 255, 255])
  }

  @Test("noise that deflate cannot shrink still encodes")
  func encodesNoise() throws {
    var state: UInt64 = 1
    let pixels = (0..<(257 * 129 * 3)).map { _ in
      state &+= 0x9E37_79B9_7F4A_7C15
      return UInt8(truncatingIfNeeded: mix64(state))
    }
    let noise = RGBImage(width: 257, height: 129, pixels: pixels)
    #expect(try PNG.decodeRGB(try PNG.encode(noise)) == noise)
  }

  @Test("an empty file, text and a JPEG are refused by name")
  func refusesOtherFiles() throws {
    let empty = #expect(throws: ImagingError.self) { try PNG.decodeRGB([], name: "a.png") }
    #expect(empty?.code == .badPNG)
    #expect(empty?.message == "a.png: an empty file; expected a PNG")
    for bytes in [Array("hello".utf8), [0xFF, 0xD8, 0xFF, 0xE0]] {
      let error = #expect(throws: ImagingError.self) {
        try PNG.decodeRGBA(bytes, name: "b.png")
      }
      #expect(error?.code == .badPNG)
      #expect(
        error?.message == "b.png: not a PNG (its first bytes are not the PNG signature)")
    }
  }

  @Test("a PNG cut at any byte is refused")
  func refusesTruncation() throws {
    let bytes = try PNG.encode(image)
    // The last 12 bytes are the end marker: all pixels are there before it.
    for length in 1..<(bytes.count - 12) {
      let error = #expect(throws: ImagingError.self) {
        try PNG.decodeRGB(Array(bytes[..<length]), name: "cut.png")
      }
      #expect(error?.code == .badPNG, "cut at \(length)")
      #expect(error?.message.hasPrefix("cut.png: ") == true)
    }
  }

  @Test("a flipped bit in the header or the pixels is refused")
  func refusesFlippedBits() throws {
    let bytes = try PNG.encode(image)
    for index in [17, 20, 24] + Array((bytes.count - 24)..<(bytes.count - 13)) {
      var broken = bytes
      broken[index] ^= 0x10
      let error = #expect(throws: ImagingError.self) { try PNG.decodeRGB(broken) }
      #expect(error?.code == .badPNG, "flipped at \(index)")
    }
  }

  @Test("a header that announces more pixels than the limit is refused before decoding")
  func refusesBombs() throws {
    let error = #expect(throws: ImagingError.self) {
      try PNG.decodeRGB(Self.header(width: 65536, height: 65536), name: "bomb.png")
    }
    #expect(error?.code == .tooLarge)
    #expect(
      error?.message
        == "bomb.png: 65536x65536 pixels; at most \(PNG.maximumPixels) are read")
  }

  @Test("a short file that announces millions of pixels is refused without memory for them")
  func refusesImpossibleHeaders() throws {
    let error = #expect(throws: ImagingError.self) {
      try PNG.decodeRGB(Self.header(width: 8192, height: 8192), name: "bomb.png")
    }
    #expect(error?.message.contains(" bytes cannot hold 8192x8192 pixels") == true)
    // What deflate shrinks most still passes: a picture of one colour.
    let plain = RGBImage(width: 2048, height: 2048, pixels: [UInt8](repeating: 0, count: 3 << 22))
    #expect(try PNG.decodeRGB(try PNG.encode(plain)) == plain)
  }

  @Test("a header at the limit passes the limit and fails on its missing pixels")
  func takesTheLimit() throws {
    let header = try PNG.header(of: Self.header(width: 8192, height: 8192))
    #expect(header.width * header.height == PNG.maximumPixels)
    let error = #expect(throws: ImagingError.self) {
      try PNG.header(of: Self.header(width: 8192, height: 8193))
    }
    #expect(error?.code == .tooLarge)
  }

  @Test("a chunk that announces gigabytes is refused before memory is taken for it")
  func refusesLongChunks() throws {
    let bytes = try PNG.encode(image)
    for kind in ["zTXt", "sPLT", "iCCP", "tRNS", "PLTE", "abCd", "ABCD"] {
      let long = bytes[..<33] + [0x7F, 0, 0, 1] + Array(kind.utf8) + bytes[33...]
      let error = #expect(throws: ImagingError.self) {
        try PNG.decodeRGB(Array(long), name: "long.png")
      }
      #expect(
        error?.message == "long.png: a broken or truncated PNG: a chunk of 2130706433 bytes, "
          + "\(bytes.count - 37) are left")
      // The file may also end with the chunk's name.
      let cut = #expect(throws: ImagingError.self) { try PNG.header(of: Array(long[..<41])) }
      #expect(cut?.message.hasSuffix("a chunk of 2130706433 bytes, 0 are left") == true)
    }
  }

  @Test("text, profiles and palettes that nobody needs change no pixel and cost nothing")
  func skipsText() throws {
    let bytes = try PNG.encode(image)
    // Neither the checksum nor the compressed text would please libpng.
    let text = [0, 0, 0, 6] + Array("zTXtk\u{0}\u{0}bad....".utf8)
    #expect(try PNG.decodeRGB(Array(bytes[..<33] + text + bytes[33...])) == image)
  }

  @Test("a picture without pixels cannot be encoded")
  func refusesEmpty() throws {
    let error = #expect(throws: ImagingError.self) {
      try PNG.encode(RGBImage(width: 0, height: 4, pixels: []))
    }
    #expect(error?.code == .invalidArgument)
  }

  @Test("a file is written and read, and a missing one is named")
  func readsFiles() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("imaging-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
    let path = folder.appendingPathComponent("one.png").path
    try PNG.write(image, to: path)
    #expect(try PNG.readRGB(path) == image)
    let missing = folder.appendingPathComponent("none.png").path
    let error = #expect(throws: ImagingError.self) { try PNG.readRGB(missing) }
    #expect(error?.code == .badFile)
    #expect(error?.message == "\(missing): cannot be read: no such file")
    let nowhere = folder.appendingPathComponent("no/such/one.png").path
    let unwritten = #expect(throws: ImagingError.self) { try PNG.write(image, to: nowhere) }
    #expect(unwritten?.code == .badFile)
  }

  /// A PNG of a correct header for 8-bit RGB and the beginning of an empty `IDAT`.
  private static func header(width: Int, height: Int) -> [UInt8] {
    func big(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * $0) & 0xFF) } }
    func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
      let body = Array(name.utf8) + data
      return big(data.count) + body + big(Int(crc(body)))
    }
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
      + chunk("IHDR", big(width) + big(height) + [8, 2, 0, 0, 0]) + chunk("IDAT", [])
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    var value: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
    return ~value
  }
}
