/// Alternating run lengths of a mask, beginning with zeros, each as unsigned LEB128.
enum MaskRuns {
  /// Values 0 and 1 → runs.
  static func encode(_ values: [UInt8]) -> [UInt8] {
    var runs: [UInt8] = []
    var (start, end): (Int, Int) = (0, 0)
    var current: UInt8 = 0
    // Safe: loads stay within the array.
    unsafe values.withUnsafeBytes { values in
      while true {
        // Long runs eight pixels at a time.
        let alike = 0x0101_0101_0101_0101 &* UInt64(current)
        while end + 8 <= values.count,
          unsafe values.loadUnaligned(fromByteOffset: end, as: UInt64.self) == alike
        {
          end += 8
        }
        while end < values.count, unsafe values[end] == current { end += 1 }
        append(end - start, to: &runs)
        guard end < values.count else { return }
        unsafe current = values[end]
        start = end
      }
    }
    return runs
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
    let whole = values.count / 8
    // Safe: loads stay within the array.
    unsafe values.withUnsafeBytes { values in
      for index in 0..<whole {
        let eight = UInt64(
          littleEndian: unsafe values.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        // The product has bit 8k of the word at 56 + k, and nothing carries into the top byte.
        bytes[index] = UInt8(truncatingIfNeeded: (eight &* 0x0102_0408_1020_4080) >> 56)
      }
    }
    for index in (8 * whole)..<values.count { bytes[whole] |= values[index] << UInt8(index & 7) }
    return bytes
  }
}
