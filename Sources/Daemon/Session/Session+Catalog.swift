import Synchronization
import Foundation
import Schema
import Store

/// Requests that look at the store.
extension Session {
  func status() async throws -> Status.Result {
    let (settings, summary, figures) = (context.settings, context.store.summary, context.figures)
    let open = summary.activeJobs.reduce(0) { $0 + $1.items - $1.done - $1.parked }
    let leased = summary.activeJobs.reduce(0) { $0 + $1.leased }
    let uptime = figures.started.duration(to: .now)
    return Status.Result(
      server: "groundwelld \(Release.version)",
      process: Int(ProcessInfo.processInfo.processIdentifier),
      uptimeSeconds: Int(uptime.components.seconds), socket: settings.socketPath,
      storePath: context.store.path, store: context.store.uuid,
      catalogVersion: context.store.catalogVersion, snapshot: summary.snapshot,
      triplets: summary.triplets, quarantined: summary.quarantined,
      categories: summary.categories, packBytes: summary.packBytes,
      defaultEngine: settings.defaultEngine, activeJobs: summary.activeJobs.count,
      pendingItems: open - leased, leasedItems: leased,
      connections: figures.connectionCount.withLock { $0 },
      streams: figures.streamCount.withLock { $0 }, workers: figures.workers.withLock { $0 })
  }

  /// Answers `counts`; of all categories with the text of before while nothing has changed.
  func countsAnswer(_ request: IncomingRequest) throws -> WireFrame {
    let params = try request.params(Counts.self)
    let generation = context.store.generation
    let result =
      params.categories == nil
      ? try context.countsCache.text(generation: generation, minimum: params.minimum ?? 0) {
        try counts(params)
      } : try JSONText.encode(try counts(params))
    var json = Array(#"{"id":"#.utf8)
    json += try request.id.json()
    json += Array(#","jsonrpc":"2.0","result":"#.utf8)
    json += result
    json.append(UInt8(ascii: "}"))
    return WireFrame(json: json)
  }

  private func counts(_ params: Counts.Params) throws -> Counts.Result {
    let limits = context.settings.limits
    let minimum = params.minimum ?? 0
    try inRange(minimum, 0...limits.maximumTarget, "minimum")
    if let categories = params.categories {
      try inRange(categories.count, 0...limits.maximumCategories, "the number of categories")
    }
    return try context.store.counts(params.categories, minimum: minimum)
  }

  func check(_ params: Check.Params, _ id: RequestID) async throws -> Check.Result {
    guard params.deep == true else { return try await context.store.check(isDeep: false) }
    guard
      context.figures.isChecking.withLock({ flag in
        defer { flag = true }
        return !flag
      })
    else {
      throw DaemonError(
        .overQuota, "a deep check is under way; ask again when it is over",
        retryAfterMilliseconds: 5000)
    }
    defer { context.figures.isChecking.withLock { $0 = false } }
    let (store, reporter) = (context.store, ByteReporter())
    return try await withTaskExecutorPreference(context.pool) {
      try await store.check(isDeep: true) { done, total in
        guard reporter.isDue() else { return }
        await self.sendProgress(id, doneBytes: done, totalBytes: total)
      }
    }
  }

  func query(_ params: TripletQuery.Params) async throws -> TripletQuery.Result {
    try await context.store.query(params)
  }

  func tripletGet(_ params: TripletGet.Params) async throws -> Answer<TripletGet> {
    let store = context.store
    return try await withTaskExecutorPreference(context.pool) {
      let (info, image, masks) = try await store.triplet(params.triplet)
      return (info, TripletBody.encode(image: image, masks: masks))
    }
  }

  /// Refuses a number outside its range by name.
  func inRange<Number: Comparable>(
    _ value: Number, _ range: ClosedRange<Number>, _ name: String
  ) throws(DaemonError) {
    guard range.contains(value) else {
      throw DaemonError(
        .invalidParams,
        "\(name) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
    }
  }

  /// Refuses a text outside its length by name.
  func hasLength(_ text: String, _ name: String) throws(DaemonError) {
    guard (1...256).contains(text.utf8.count) else {
      throw DaemonError(
        .invalidParams, "\(name) has \(text.utf8.count) bytes; expected 1 to 256")
    }
    try hasNoZero(text, name)
  }

  /// Refuses a text with a zero byte, which the catalog would cut it off at.
  func hasNoZero(_ text: String, _ name: String) throws(DaemonError) {
    guard !text.utf8.contains(0) else {
      throw DaemonError(.invalidParams, "\(name) holds a zero byte, which no text may")
    }
  }
}
