import Store
import Synchronization

/// How many requests wait for their pixels to be encoded, so that a crowd of writers is not kept
/// waiting for the last tenth of a size.
final class EncodingLoad: Sendable {
  private let waiting = Atomic<Int>(0)
  private let threadCount: Int

  /// The load of a pool with so many threads.
  init(threadCount: Int) { self.threadCount = threadCount }

  /// Does what waits for the encoder and encodes.
  func counted<T: Sendable>(_ body: @Sendable () async throws -> T) async rethrows -> T {
    waiting.wrappingAdd(1, ordering: .relaxed)
    defer { waiting.wrappingSubtract(1, ordering: .relaxed) }
    return try await body()
  }

  /// Careful, unless each thread has work and others wait.
  var care: EncodingCare {
    waiting.load(ordering: .relaxed) > 2 * threadCount ? .quick : .careful
  }
}
