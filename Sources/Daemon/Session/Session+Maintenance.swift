import Schema
import Store
import Synchronization

/// Requests that take triplets out of the store and look after its packs.
extension Session {
  func delete(_ params: TripletDelete.Params) async throws -> TripletDelete.Result {
    try isTripletList(params.triplets)
    return try await context.store.delete(params.triplets)
  }

  func compact(_ params: Compact.Params, _ id: RequestID) async throws -> Compact.Result {
    let percent = params.deadPercent ?? Compact.standardDeadPercent
    try inRange(percent, 1...100, "dead_percent")
    let (store, reporter) = (context.store, ByteReporter())
    return try await withTaskExecutorPreference(context.pool) {
      try await store.compact(deadPercent: percent) { done, total in
        guard reporter.isDue() else { return }
        await self.sendProgress(id, doneBytes: done, totalBytes: total)
      }
    }
  }

  func backup(_ params: Backup.Params, _ id: RequestID) async throws -> Backup.Result {
    let (store, reporter) = (context.store, ByteReporter())
    return try await withTaskExecutorPreference(context.pool) {
      try await store.backup(to: params.directory) { done, total in
        guard reporter.isDue() else { return }
        await self.sendProgress(id, doneBytes: done, totalBytes: total)
      }
    }
  }

  func release(_ params: QuarantineRelease.Params) async throws -> QuarantineRelease.Result {
    try isTripletList(params.triplets)
    let store = context.store
    return try await withTaskExecutorPreference(context.pool) {
      try await store.release(params.triplets)
    }
  }

  /// Refuses a list of triplets that is empty, too long, or names one twice.
  func isTripletList(_ triplets: [TripletID]) throws(DaemonError) {
    try inRange(
      triplets.count, 1...context.settings.limits.maximumQueryRows, "the number of triplets")
    guard Set(triplets).count == triplets.count else {
      throw DaemonError(.invalidParams, "a triplet is there twice")
    }
  }
}

/// Decides when a request that goes through the store reports: at most five times a second.
final class ByteReporter: Sendable {
  private static let interval: Duration = .milliseconds(200)

  private let last = Mutex(ContinuousClock.now)

  /// Whether enough time has passed.
  func isDue() -> Bool {
    last.withLock { last in
      let now = ContinuousClock.now
      guard now - last >= Self.interval else { return false }
      last = now
      return true
    }
  }
}
