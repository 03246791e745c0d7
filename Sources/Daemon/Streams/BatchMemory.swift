import Schema
import Wire

/// Where a batch is written: a slot that the client sees, or bytes that go through the socket.
enum BatchMemory: Sendable {
  case shared(SharedMemory)
  case plain(PlainMemory)

  /// All bytes; valid while this value lives.
  @unsafe var bytes: UnsafeMutableRawBufferPointer {
    switch self {
    case .shared(let memory): unsafe memory.bytes
    case .plain(let memory): unsafe memory.bytes
    }
  }
}

/// Bytes outside any array, so that several threads can write their parts.
@safe final class PlainMemory: @unchecked Sendable {
  // Whoever writes has a part of its own, and whoever sends does so when all is written.
  private let buffer: UnsafeMutableRawBufferPointer

  /// Uninitialised memory of `count` bytes.
  init(count: Int) {
    unsafe buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: count, alignment: Safetensors.alignment)
  }

  deinit { unsafe buffer.deallocate() }

  /// How many bytes there are.
  var count: Int { unsafe buffer.count }

  /// All bytes; valid while this value lives.
  @unsafe var bytes: UnsafeMutableRawBufferPointer { unsafe buffer }
}
