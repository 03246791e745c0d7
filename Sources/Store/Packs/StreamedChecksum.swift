private import CXXHash

/// XXH3-64 of bytes that come piece by piece.
///
/// Safe to use: the state is allocated and freed by the value that owns it.
@safe struct StreamedChecksum: ~Copyable {
  private let state: OpaquePointer?

  init() {
    // Safe: the state is this value's own, and freed with it.
    unsafe state = XXH3_createState()
    _ = unsafe XXH3_64bits_reset(state)
  }

  deinit { _ = unsafe XXH3_freeState(state) }

  /// Takes the next bytes.
  func add(_ bytes: [UInt8]) {
    // Safe: the buffer lives for the duration of the call.
    unsafe bytes.withUnsafeBytes { buffer in
      _ = unsafe XXH3_64bits_update(state, buffer.baseAddress, buffer.count)
    }
  }

  /// The checksum of everything so far, as sixteen hexadecimal digits.
  var text: String {
    let digits = String(unsafe XXH3_64bits_digest(state), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
