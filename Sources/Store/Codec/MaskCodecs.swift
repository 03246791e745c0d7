/// Alternating run lengths of a mask, beginning with zeros, each as unsigned LEB128.
enum MaskRuns {
  /// Values 0 and 1 → runs.
  static func encode(_ values: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    var current: UInt8 = 0
    var length = 0
    for value in values {
      if value != current {
        append(length, to: &bytes)
        current = value
        length = 0
      }
      length += 1
    }
    append(length, to: &bytes)
    return bytes
  }

  private static func append(_ length: Int, to bytes: inout [UInt8]) {
    var rest = length
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

/// Eight pixels of a mask to a byte, row-major, lowest bit first.
enum MaskBits {
  /// Values 0 and 1 → bits, the last byte filled up with zeros.
  static func encode(_ values: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: (values.count + 7) / 8)
    for (index, value) in values.enumerated() { bytes[index >> 3] |= value << UInt8(index & 7) }
    return bytes
  }
}
