private import CLZ4

/// LZ4 blocks (<https://github.com/lz4/lz4>, "LZ4 Block Format").
enum LZ4 {
  /// Compresses; the result may be longer than `bytes`.
  static func compress(_ bytes: [UInt8]) -> [UInt8] {
    precondition(bytes.count <= Int(LZ4_MAX_INPUT_SIZE), "\(bytes.count) bytes for one LZ4 block")
    let bound = Int(LZ4_compressBound(Int32(bytes.count)))
    // Safe: LZ4 writes at most `bound` bytes, which the buffer has, and says how many.
    return unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
      count = unsafe bytes.withUnsafeBytes { input in
        unsafe Int(
          LZ4_compress_default(
            input.baseAddress?.assumingMemoryBound(to: CChar.self),
            UnsafeMutableRawPointer(output.baseAddress)?.assumingMemoryBound(to: CChar.self),
            Int32(bytes.count), Int32(bound)))
      }
    }
  }

  /// Decompresses a block that must give exactly `count` bytes; nil when it does not.
  static func decompress(_ block: ArraySlice<UInt8>, count: Int) -> [UInt8]? {
    guard block.count <= Int(Int32.max), count <= Int(LZ4_MAX_INPUT_SIZE) else { return nil }
    var written: Int32 = -1
    // Safe: LZ4 reads only the block, writes at most `count` bytes, and says how many.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { output, filled in
      written = unsafe block.withUnsafeBytes { input in
        unsafe LZ4_decompress_safe(
          input.baseAddress?.assumingMemoryBound(to: CChar.self),
          UnsafeMutableRawPointer(output.baseAddress)?.assumingMemoryBound(to: CChar.self),
          Int32(block.count), Int32(count))
      }
      filled = max(0, Int(written))
    }
    return written == Int32(count) ? bytes : nil
  }

  /// Decompresses a block that must fill `output` exactly; false when it does not.
  static func decompress(
    _ block: UnsafeBufferPointer<UInt8>, into output: UnsafeMutableBufferPointer<UInt8>
  ) -> Bool {
    guard block.count <= Int(Int32.max), output.count <= Int(LZ4_MAX_INPUT_SIZE) else {
      return false
    }
    // Safe: LZ4 reads only the block and writes only the output, as many bytes as it is told.
    let written = unsafe LZ4_decompress_safe(
      UnsafeRawPointer(block.baseAddress)?.assumingMemoryBound(to: CChar.self),
      UnsafeMutableRawPointer(output.baseAddress)?.assumingMemoryBound(to: CChar.self),
      Int32(block.count), Int32(output.count))
    return Int(written) == output.count
  }
}
