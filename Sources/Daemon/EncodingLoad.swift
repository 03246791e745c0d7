import Store
import Synchronization

/// How many requests wait for their pixels to be encoded, so that a crowd of writers is not kept
/// waiting for the last tenth of a size.
final class EncodingLoad: Sendable {
  private let waiting = Atomic<Int>(0)
  private let threadCount: Int

  /// The load of a pool with so many threads.
  init(threadCount: Int) { self.threadCount = threadCount }

  /// One more is about to wait.
  func begin() { waiting.wrappingAdd(1, ordering: .relaxed) }

  /// One is encoded, or was refused.
  func end() { waiting.wrappingSubtract(1, ordering: .relaxed) }

  /// Careful, unless each thread has work and others wait.
  var care: EncodingCare {
    waiting.load(ordering: .relaxed) > 2 * threadCount ? .quick : .careful
  }
}
