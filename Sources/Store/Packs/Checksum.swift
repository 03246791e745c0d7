private import CXXHash

/// XXH3-64 with seed 0 (<https://github.com/Cyan4973/xxHash>).
func xxh3(_ bytes: ArraySlice<UInt8>) -> UInt64 {
  // Safe: the buffer lives for the duration of the call.
  unsafe bytes.withUnsafeBytes { buffer in
    unsafe XXH3_64bits(buffer.baseAddress, buffer.count)
  }
}
