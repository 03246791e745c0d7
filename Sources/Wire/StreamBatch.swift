public import Schema
import Foundation
import Synchronization

/// One batch of a stream; its memory goes back to the daemon with the last reference.
public final class StreamBatch: Sendable {
  /// Where the bytes are.
  enum Storage: Sendable {
    case bytes([UInt8])
    case shared(SharedMemory, count: Int, SlotReturn)
  }

  /// What the daemon says of it.
  public let result: BatchGet.Result
  /// Its tensors by name.
  public let tensors: [String: BodyTensor]
  private let storage: Storage

  /// Reads where the tensors lie.
  ///
  /// - Throws: ``WireError/Code/badProtocol`` when the body is broken.
  init(_ result: BatchGet.Result, _ storage: Storage) throws(WireError) {
    self.result = result
    self.storage = storage
    do throws(SchemaError) {
      switch storage {
      case .bytes(let bytes): tensors = try Safetensors.decode(bytes)
      case .shared(let memory, let count, _):
        // Safe: every range lies inside the memory; the header alone is copied.
        let length = try Safetensors.headerBytes(
          unsafe Array(memory.bytes[0..<8]), totalBytes: count)
        tensors = try Safetensors.decode(
          beginning: unsafe Array(memory.bytes[0..<length]), totalBytes: count)
      }
    } catch {
      throw WireError(
        .badProtocol, "batch \(result.k) is broken: \(error.message)", cause: error)
    }
  }

  /// Bytes of the whole body.
  public var byteCount: Int {
    switch storage {
    case .bytes(let bytes): bytes.count
    case .shared(_, let count, _): count
    }
  }

  /// Lends the bytes of the whole body.
  @unsafe public func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    switch storage {
    case .bytes(let bytes): return try unsafe bytes.withUnsafeBytes(body)
    case .shared(let memory, let count, _):
      // Safe: the memory lives as long as this value, and the daemon does not write to it.
      return try unsafe body(UnsafeRawBufferPointer(rebasing: memory.bytes[0..<count]))
    }
  }

  /// The bytes of a tensor, copied; nil when the stream has no such tensor.
  public func bytes(of name: String) -> [UInt8]? {
    guard let range = tensors[name]?.range else { return nil }
    // Safe: the range was checked against the body.
    return unsafe withBytes { unsafe Array($0[range]) }
  }

  /// The numbers of tensor `category`: the position of each item's category in the stream.
  public var categories: [Int] {
    let bytes = bytes(of: "category") ?? []
    return stride(from: 0, to: bytes.count - 3, by: 4).map { start in
      Int(Int32(littleEndianBytes: bytes[start..<(start + 4)]))
    }
  }
}

/// The slots of a stream that nobody holds any more, until the daemon is told.
final class SlotReturns: Sendable {
  private struct State {
    var done: [(k: Int, slot: Int)] = []
    var heldCount = 0
  }

  private let state = Mutex(State())

  /// Slots that are held.
  var heldCount: Int { state.withLock { $0.heldCount } }

  /// Notes a slot that is held.
  func hold() { state.withLock { $0.heldCount += 1 } }

  /// Notes that it no longer is.
  func add(k: Int, slot: Int) {
    state.withLock { state in
      state.done.append((k, slot))
      state.heldCount -= 1
    }
  }

  /// What the daemon is to be told, once.
  func take() -> [(k: Int, slot: Int)] {
    state.withLock { state in
      defer { state.done = [] }
      return state.done
    }
  }
}

/// Gives one slot back when its batch is gone.
final class SlotReturn: Sendable {
  private let returns: SlotReturns
  private let k: Int
  private let slot: Int

  init(_ returns: SlotReturns, k: Int, slot: Int) {
    self.returns = returns
    self.k = k
    self.slot = slot
    returns.hold()
  }

  deinit { returns.add(k: k, slot: slot) }
}
