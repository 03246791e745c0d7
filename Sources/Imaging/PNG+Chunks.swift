extension PNG {
  /// Chunks that decide what the pixels look like, besides those that every decoder must know.
  private static let kept: Set<String> = ["tRNS", "gAMA", "cHRM", "sRGB"]

  /// The chunks of a PNG that its pixels need, the others left out.
  ///
  /// libpng takes memory for the length that a chunk of text, palette or profile announces before
  /// it has seen its bytes, and for all that such a chunk unpacks to: a file of a hundred bytes can
  /// cost two gigabytes. Those chunks never reach it.
  ///
  /// - Throws: ``ImagingError/Code/badPNG`` when a chunk is longer than what is left of the file.
  static func essentialChunks(
    _ bytes: [UInt8], name: String
  ) throws(ImagingError) -> [UInt8] {
    var result = Array(bytes.prefix(8))
    var start = 8
    while bytes.count - start >= 8 {
      let length = bytes[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) }
      let kind = String(decoding: bytes[(start + 4)..<(start + 8)], as: UTF8.self)
      let left = bytes.count - start - 12
      guard length <= left else {
        // Pixels are read piece by piece, and libpng says itself where they end.
        if kind == "IDAT" || kind == "IEND" { break }
        throw ImagingError(
          .badPNG,
          "\(name): a broken or truncated PNG: a chunk of \(length) bytes, "
            + "\(max(0, left)) are left")
      }
      let end = start + 12 + length
      // A chunk whose name begins with a capital letter is one that every decoder must know.
      let isCritical = bytes[start + 4] & 0x20 == 0
      if isCritical || kept.contains(kind) { result += bytes[start..<end] }
      start = end
      if kind == "IEND" { return result }
    }
    return result + bytes[start...]
  }
}
