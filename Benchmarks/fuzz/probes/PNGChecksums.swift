import Schema

/// The checksums of a PNG's chunks.
enum PNGChecksums {
  private static let table: [UInt32] = (0..<256).map { number in
    (0..<8).reduce(UInt32(number)) { value, _ in
      value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1
    }
  }

  /// Writes the right checksum behind every chunk that is whole.
  static func mend(_ png: inout [UInt8]) {
    var start = 8
    while png.count - start >= 12 {
      let length = png[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) }
      guard length <= png.count - start - 12 else { return }
      let end = start + 8 + length
      var sum: UInt32 = 0xFFFF_FFFF
      for byte in png[(start + 4)..<end] {
        sum = table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ (sum >> 8)
      }
      sum ^= 0xFFFF_FFFF
      png.replaceSubrange(end..<(end + 4), with: sum.littleEndianBytes.reversed())
      start = end + 4
    }
  }
}
