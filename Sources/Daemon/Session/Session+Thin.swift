import Schema
import Store

/// Categories that have fewer triplets than a stream asked for.
extension Session {
  /// What a stream does about them.
  struct ThinRule {
    /// Triplets that each category should have.
    let minimum: Int
    /// Whether to wait, go on or refuse.
    let onThin: OnThin
    /// Seconds that waiting may take.
    let waitSeconds: Double
    /// Pixels along a side of what is made; as the daemon is set when nil.
    let imageSize: Int?

    /// The rule that the parameters of a stream give.
    init(_ params: StreamOpen.Params) {
      minimum = params.minimum ?? 1
      onThin = params.onThin ?? .wait
      waitSeconds = params.waitSeconds ?? 600
      imageSize = params.imageSize
    }
  }

  /// Stock by category; 0 for one that the store does not know yet.
  func stocks(_ names: [CategoryName]) throws -> [CategoryName: Int] {
    let known = try context.store.counts().categories
    let stocks = Dictionary(known.map { ($0.category, $0.stock) }, uniquingKeysWith: max)
    return Dictionary(uniqueKeysWithValues: names.map { ($0, stocks[$0] ?? 0) })
  }

  /// Those of `names` that have fewer triplets now than the rule asks for, by name.
  func thin(_ names: [CategoryName], _ rule: ThinRule) throws -> [CategoryName] {
    try stocks(names).filter { $0.value < rule.minimum }.map(\.key).sorted()
  }

  /// Starts to make what `thin` lacks; answers the jobs that do it.
  @discardableResult
  func startFilling(_ thin: [CategoryName], _ rule: ThinRule) async throws -> Set<Int64> {
    let goals = thin.map { Backfill.Goal(category: $0, target: rule.minimum) }
    let order = Backfill.Params(goals: goals, imageSize: rule.imageSize)
    return Set(try await backfill(order).outcomes.flatMap(\.jobs))
  }

  /// Makes what `thin` lacks and returns when it is there; `remedy` says what to do when it is not
  /// there in time.
  func fill(
    _ thin: [CategoryName], _ rule: ThinRule, _ id: RequestID, remedy: String
  ) async throws {
    let jobs = try await startFilling(thin, rule)
    let deadline = ContinuousClock.now + .seconds(rule.waitSeconds)
    var reporter = ProgressReporter(id)
    for await _ in context.signal.wakeUps() {
      // Jobs before stocks: a job that is done has all its triplets in the stock read after it.
      let infos =
        jobs.isEmpty
        ? [] : try await context.store.jobs(JobList.Params(jobs: jobs.sorted()))
      let stocks = try stocks(thin)
      guard let missing = thin.first(where: { stocks[$0] ?? 0 < rule.minimum }) else { return }
      let state = "'\(missing)' has \(stocks[missing] ?? 0) of \(rule.minimum) triplets"
      if let failed = infos.first(where: { $0.category == missing && $0.state != .active }),
        !infos.contains(where: { $0.category == missing && $0.state == .active })
      {
        throw DaemonError(
          .categoryThin,
          "\(state) and its backfill is \(failed.state.rawValue): "
            + (failed.lastError ?? "no reason given"))
      }
      try hasRoom("\(state): its backfill goes on when there is room")
      if reporter.isDue(infos) { sendProgress(reporter.id, infos) }
      guard ContinuousClock.now < deadline else {
        throw DaemonError(
          .deadlineReached,
          "\(state) after \(rule.waitSeconds) s; its backfill goes on: \(remedy) later",
          retryAfterMilliseconds: 10_000)
      }
    }
    throw DaemonError(.stopping, "the daemon is stopping; the backfill goes on when it is back")
  }
}
