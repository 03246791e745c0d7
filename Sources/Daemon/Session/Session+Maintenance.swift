import Schema
import Store

/// Requests that take triplets out of the store and look after its packs.
extension Session {
  func delete(_ params: TripletDelete.Params) async throws -> TripletDelete.Result {
    try isTripletList(params.triplets)
    return try await context.store.delete(params.triplets)
  }

  func compact(_ params: Compact.Params, _ id: RequestID) async throws -> Compact.Result {
    let percent = params.deadPercent ?? Compact.standardDeadPercent
    try inRange(percent, 1...100, "dead_percent")
    let store = context.store
    return try await withTaskExecutorPreference(context.pool) {
      try await store.compact(deadPercent: percent) { done, total in
        await self.sendProgress(id, doneBytes: done, totalBytes: total)
      }
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
