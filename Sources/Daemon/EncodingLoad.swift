import Store
import Synchronization

/// How many requests wait for their pixels to be encoded, so that a crowd of writers is not kept
/// waiting for the last tenth of a size.
final class EncodingLoad: Sendable {
  /// How long there is a crowd once there was one: its members take turns at waiting.
  static let crowdTime: Duration = .milliseconds(20)

  private let waiting = Atomic<Int>(0)
  private let small = Atomic<Int>(0)
  private let crowdSize: Int
  /// When there was a crowd last, in nanoseconds since ``start``.
  private let lastCrowd = Atomic<Int>(.min / 2)
  private let start = ContinuousClock.now
  private let now: @Sendable () -> ContinuousClock.Instant

  /// The load of a pool with so many threads.
  init(threadCount: Int, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    crowdSize = max(2, threadCount / 2 + 1)
    self.now = now
  }

  /// Whether triplets are being encoded.
  var isBusy: Bool { waiting.load(ordering: .relaxed) > 0 }

  /// Does what waits for the encoder and encodes.
  func counted<T: Sendable>(_ body: @Sendable () async throws -> T) async rethrows -> T {
    noteCrowd(waiting.wrappingAdd(1, ordering: .relaxed).newValue)
    defer { waiting.wrappingSubtract(1, ordering: .relaxed) }
    return try await body()
  }

  /// Does what brings something so small that it is encoded at once, from its arrival until it is
  /// durable: encoding itself never meets another there.
  func countedSmall<T: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> sending T
  ) async rethrows -> sending T {
    noteCrowd(small.wrappingAdd(1, ordering: .relaxed).newValue)
    defer { small.wrappingSubtract(1, ordering: .relaxed) }
    return try await body()
  }

  private func noteCrowd(_ count: Int) {
    if count >= crowdSize {
      lastCrowd.store((now() - start).nanoseconds, ordering: .relaxed)
    }
  }

  /// Careful, unless more than half of the threads have had work at once a moment ago: a careful
  /// encoding holds its thread several times as long.
  var care: EncodingCare {
    let passed = (now() - start).nanoseconds - lastCrowd.load(ordering: .relaxed)
    return passed < Self.crowdTime.nanoseconds ? .quick : .careful
  }
}
