import Foundation
import Schema
import Store
import Synchronization

/// Requests about backfills, jobs and work items.
extension Session {
  func backfill(_ params: Backfill.Params) async throws -> Backfill.Result {
    let (settings, limits) = (context.settings, context.settings.limits)
    try inRange(params.goals.count, 1...limits.maximumCategories, "the number of goals")
    for goal in params.goals {
      try inRange(goal.target, 1...limits.maximumTarget, "target of '\(goal.category)'")
    }
    guard Set(params.goals.map(\.category)).count == params.goals.count else {
      throw DaemonError(.invalidParams, "a category is there twice among the goals")
    }
    let engine = params.engine ?? settings.defaultEngine
    try hasLength(engine, "engine")
    let size = params.imageSize ?? settings.defaultImageSize
    try inRange(size, limits.minimumImageSide...limits.maximumImageSide, "image_size")
    try inRange(params.priority ?? 0, -100...100, "priority")
    let seed = params.seed ?? Int64.random(in: 0..<(1 << 53))
    try inRange(seed, 0...((1 << 53) - 1), "seed")
    try hasRoom()
    let outcomes = try await context.store.backfill(
      params.goals, engine: engine, imageSize: size, priority: params.priority ?? 0, seed: seed,
      companions: params.companions ?? true)
    return Backfill.Result(outcomes: outcomes)
  }

  func jobList(_ params: JobList.Params) async throws -> JobsResult {
    let limits = context.settings.limits
    if let limit = params.limit { try inRange(limit, 1...limits.maximumQueryRows, "limit") }
    if let jobs = params.jobs { try isJobList(jobs) }
    return JobsResult(jobs: try await context.store.jobs(params))
  }

  func jobCancel(_ params: JobCancel.Params) async throws -> JobsResult {
    try isJobList(params.jobs)
    return JobsResult(jobs: try await context.store.cancel(params.jobs))
  }

  func jobWait(_ params: JobWait.Params, _ id: RequestID) async throws -> JobWait.Result {
    try isJobList(params.jobs)
    try isWait(params.waitSeconds)
    let deadline = ContinuousClock.now + .seconds(params.waitSeconds)
    var reporter = ProgressReporter(id)
    for await _ in context.signal.wakeUps() {
      let jobs = try await context.store.jobs(JobList.Params(jobs: params.jobs))
      let finished = jobs.allSatisfy { $0.state != .active }
      if finished || ContinuousClock.now >= deadline {
        return JobWait.Result(jobs: jobs, finished: finished)
      }
      try hasRoom("the jobs go on when there is room")
      if reporter.isDue(jobs) { sendProgress(reporter.id, jobs) }
    }
    throw DaemonError(.stopping, "the daemon is stopping; the jobs go on when it is back")
  }

  func lease(_ params: WorkLease.Params) async throws -> WorkLease.Result {
    let limits = context.settings.limits
    try hasLength(params.worker, "worker")
    try inRange(params.count, 1...limits.maximumLeaseItems, "count")
    try inRange(params.leaseSeconds ?? 30, 1...limits.maximumLeaseSeconds, "lease_seconds")
    try inRange(params.engines.count, 1...16, "the number of engines")
    for engine in params.engines { try hasLength(engine, "an engine") }
    try isWait(params.waitSeconds ?? 0)
    let deadline = ContinuousClock.now + .seconds(params.waitSeconds ?? 0)
    for await _ in context.signal.wakeUps() {
      // From memory: idle workers must not cost a transaction each time something changes.
      if hasWork(params.engines), context.store.fullness == nil {
        let items = try await context.store.lease(params)
        context.leases.assign(items.map(\.lease), to: number)
        if !items.isEmpty { return WorkLease.Result(items: items) }
      }
      if ContinuousClock.now >= deadline { return WorkLease.Result(items: []) }
    }
    throw DaemonError(.stopping, "the daemon is stopping; lease again when it is back")
  }

  /// Refuses what needs more triplets while the store takes none.
  func hasRoom(_ remedy: String? = nil) throws(DaemonError) {
    guard let full = context.store.fullness else { return }
    throw DaemonError(
      .storeFull, full.message + (remedy.map { "; \($0)" } ?? ""), retryAfterMilliseconds: 60_000,
      cause: full)
  }

  private func hasWork(_ engines: [String]) -> Bool {
    context.store.summary.activeJobs.contains { job in
      engines.contains(job.engine) && job.items > job.done + job.parked + job.leased
    }
  }

  func renew(_ params: WorkRenew.Params) async throws -> WorkRenew.Result {
    let limits = context.settings.limits
    try inRange(params.leases.count, 1...limits.maximumLeaseItems, "the number of leases")
    let seconds = params.leaseSeconds ?? 30
    try inRange(seconds, 1...limits.maximumLeaseSeconds, "lease_seconds")
    let lost = try await context.store.renew(params.leases, seconds: seconds)
    context.leases.assign(params.leases, to: number)
    context.leases.remove(lost)
    return WorkRenew.Result(lost: lost)
  }

  func submit(_ params: WorkSubmit.Params, _ body: [UInt8]) async throws -> WorkSubmit.Result {
    let (load, pool) = (context.encodingLoad, context.pool)
    let triplet = try await load.counted {
      try await withTaskExecutorPreference(pool) {
        try await Self.encoded(params, body, load)
      }
    }
    let counters = context.counters
    counters.commitsInHand.wrappingAdd(1, ordering: .relaxed)
    defer { counters.commitsInHand.wrappingSubtract(1, ordering: .relaxed) }
    let result = try await context.store.submit(params.lease, triplet)
    if !result.duplicate { counters.ingestedBytes.wrappingAdd(body.count, ordering: .relaxed) }
    context.leases.remove([params.lease])
    return result
  }

  private nonisolated static func encoded(
    _ params: WorkSubmit.Params, _ body: [UInt8], _ load: EncodingLoad
  ) async throws -> EncodedTriplet {
    let (image, masks) = try TripletBody.decode(body)
    guard masks.count == params.masks.count else {
      throw DaemonError(
        .badBody, "the body has \(masks.count) masks, the request describes \(params.masks.count)")
    }
    return try EncodedTriplet(
      Triplet(
        image: image, masks: Array(zip(params.masks, masks)).map { (info: $0.0, mask: $0.1) },
        prompt: params.prompt, provenance: params.provenance), load.care)
  }

  func fail(_ params: WorkFail.Params) async throws -> WorkFail.Result {
    let limit = context.settings.limits.maximumPromptBytes
    guard (1...limit).contains(params.error.utf8.count) else {
      throw DaemonError(
        .invalidParams, "error has \(params.error.utf8.count) bytes; expected 1 to \(limit)")
    }
    try hasNoZero(params.error, "error")
    let result = try await context.store.fail(params.lease, error: params.error)
    context.leases.remove([params.lease])
    return result
  }

  func release(_ params: WorkRelease.Params) async throws -> Empty {
    let limit = context.settings.limits.maximumLeaseItems
    try inRange(params.leases.count, 1...limit, "the number of leases")
    try await context.store.release(params.leases)
    context.leases.remove(params.leases)
    return Empty()
  }

  private func isJobList(_ jobs: [Int64]) throws(DaemonError) {
    try inRange(jobs.count, 1...context.settings.limits.maximumCategories, "the number of jobs")
  }

  /// Refuses a wait beyond the limit.
  func isWait(_ seconds: Double) throws(DaemonError) {
    try inRange(seconds, 0...Double(context.settings.limits.maximumWaitSeconds), "wait_seconds")
  }
}

/// Decides when a waiting request reports: at news, at most five times a second, and now and then
/// without any, so that no wait is silent.
struct ProgressReporter {
  private static let interval: Duration = .milliseconds(200)
  private static let silence: Duration = .seconds(5)

  /// The request that waits.
  let id: RequestID
  private var lastJobs: [JobInfo] = []
  private var lastTime = ContinuousClock.now - ProgressReporter.interval

  init(_ id: RequestID) { self.id = id }

  /// Whether `jobs` are news and enough time has passed.
  mutating func isDue(_ jobs: [JobInfo]) -> Bool {
    let since = ContinuousClock.now - lastTime
    guard since >= (jobs == lastJobs ? Self.silence : Self.interval) else { return false }
    lastJobs = jobs
    lastTime = .now
    return true
  }
}
