import Foundation
import Synchronization

/// Memory for activations that is handed out, given back and handed out again.
///
/// A tensor's buffer returns here when the last tensor that views it is gone, so one evaluation of
/// a network leaves behind exactly the buffers that the next one needs: after the first step
/// ``allocatedBytes`` stands still. The workspace also carries the number of threads that kernels
/// working on its tensors may use; BLAS itself runs on one thread inside each of them.
package final class Workspace: Sendable {
  /// How many threads a kernel may use.
  package let threadCount: Int

  private struct State {
    // Free buffers, smallest first.
    var free: [Buffer] = []
    var allocatedBytes = 0
    var allocationCount = 0
  }

  private let state = Mutex(State())

  /// Creates an empty workspace.
  ///
  /// - Precondition: `threadCount` is at least 1.
  package init(threadCount: Int = ProcessInfo.processInfo.activeProcessorCount) {
    precondition(threadCount >= 1, "a workspace for \(threadCount) threads")
    self.threadCount = threadCount
    singleThreadedBLAS()
  }

  /// Bytes taken from the system and not returned to it.
  package var allocatedBytes: Int { state.withLock { $0.allocatedBytes } }
  /// How often memory has been taken from the system.
  package var allocationCount: Int { state.withLock { $0.allocationCount } }

  /// A tensor whose values are not set yet.
  package func tensor(_ shape: [Int]) -> Tensor {
    let count = shape.reduce(1, *)
    return Tensor(storage: Storage(take(count), workspace: self), offset: 0, shape: shape)
  }

  /// A tensor of given values.
  ///
  /// - Precondition: `values` has as many elements as `shape` says.
  package func tensor(_ values: [Float], shape: [Int]) -> Tensor {
    let result = tensor(shape)
    result.write(values)
    return result
  }

  /// Returns every free buffer to the system.
  package func trim() {
    let dropped = state.withLock { state in
      let free = state.free
      state.free = []
      for buffer in free { state.allocatedBytes -= buffer.capacity * MemoryLayout<Float>.stride }
      return free
    }
    for buffer in dropped { buffer.deallocate() }
  }

  private func take(_ count: Int) -> Buffer {
    let reused: Buffer? = state.withLock { state in
      // The smallest that fits, unless it would waste more than half of itself.
      guard let index = state.free.firstIndex(where: { $0.capacity >= count }),
        state.free[index].capacity <= 2 * count + Buffer.granule
      else { return nil }
      return state.free.remove(at: index)
    }
    if let reused { return reused }
    let buffer = Buffer(capacity: count)
    state.withLock {
      $0.allocatedBytes += buffer.capacity * MemoryLayout<Float>.stride
      $0.allocationCount += 1
    }
    return buffer
  }

  fileprivate func giveBack(_ buffer: Buffer) {
    state.withLock { state in
      let index =
        state.free.firstIndex { $0.capacity >= buffer.capacity } ?? state.free.endIndex
      state.free.insert(buffer, at: index)
    }
  }

  deinit {
    // Storage holds its workspace, so every buffer is back by now.
    trim()
  }
}

/// Floats from the system, 64-byte aligned.
@safe struct Buffer: @unchecked Sendable {
  // A pointer that one owner at a time holds: the free list or one `Storage`.
  static let granule = 1024
  let capacity: Int
  let pointer: UnsafeMutablePointer<Float>

  init(capacity count: Int) {
    capacity = (max(count, 1) + Self.granule - 1) / Self.granule * Self.granule
    let bytes = capacity * MemoryLayout<Float>.stride
    // Safe: the memory is `capacity` floats, bound once and freed by `deallocate` alone.
    unsafe pointer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      .bindMemory(to: Float.self, capacity: capacity)
  }

  func deallocate() {
    // Safe: only the owner calls this, once.
    unsafe UnsafeMutableRawPointer(pointer).deallocate()
  }
}

/// What keeps a tensor's buffer alive, and gives it back.
final class Storage: Sendable {
  let buffer: Buffer
  let workspace: Workspace

  init(_ buffer: Buffer, workspace: Workspace) {
    self.buffer = buffer
    self.workspace = workspace
  }

  deinit { workspace.giveBack(buffer) }
}
