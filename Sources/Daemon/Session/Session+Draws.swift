import Schema
import Store

/// What batches draw.
extension Session {
  /// A batch before its pixels are read.
  struct DrawnBatch: Sendable {
    /// The draws of this rank, in the order of the batch.
    let draws: [Draw]
    /// Their triplets.
    let ids: [TripletID]
    /// The chance of each draw.
    let probabilities: [Double]
    /// Categories among them that have fewer triplets than the stream's minimum.
    let thin: [CategoryName]
    /// Continues the stream behind this batch.
    let token: ResumeToken
    /// Time spent waiting for triplets of thin categories.
    let thinWait: Duration
  }

  /// What batch `k` of a stream holds; may wait for triplets of thin categories, see
  /// `maximum_draws`.
  ///
  /// - Throws: ``ErrorWord/categoryThin`` or ``ErrorWord/deadlineReached`` when they do not come.
  func draw(_ stream: OpenStream, _ k: Int, _ id: RequestID) async throws -> DrawnBatch {
    let start = ContinuousClock.now
    if let bound = stream.bound { try await keep(bound, stream, k, id) }
    let thinWait = ContinuousClock.now - start
    let draws: [Draw]
    let ids: [TripletID]
    if let followed = stream.followed {
      (draws, ids) = try await followed.draw(k, stream.plan, context.store)
    } else {
      draws = stream.plan.draws(batch: k)
      ids = stream.view.triplets(draws)
    }
    let thin = Set(draws.filter { $0.count < stream.minimum }.map(\.category)).sorted()
    return DrawnBatch(
      draws: draws, ids: ids,
      probabilities: draws.map {
        stream.plan.probability(category: $0.category, count: $0.count)
      },
      thin: thin.map { stream.plan.categories[$0].name }, token: stream.token(k + 1),
      thinWait: thinWait)
  }

  /// Looks at the categories that batch `k` would begin to draw once too often, and does about
  /// those that are still thin what the stream asked for.
  private func keep(
    _ bound: DrawBound, _ stream: OpenStream, _ k: Int, _ id: RequestID
  ) async throws {
    let plan = stream.followed?.applied(to: stream.plan) ?? stream.plan
    let draws = plan.draws(batch: k)
    let reached = bound.reached(draws)
    guard !reached.isEmpty else { return }
    let rule = ThinRule(stream.params)
    let thin = try thin(reached.map { plan.categories[$0].name }, rule)
    if let first = thin.first {
      switch rule.onThin {
      case .wait: try await fill(thin, rule, id, remedy: "ask again")
      case .repeat: try await startFilling(thin, rule)
      case .fail:
        try await startFilling(thin, rule)
        throw DaemonError(
          .categoryThin,
          "'\(first)' has fewer than \(rule.minimum) triplets, and each has been drawn "
            + "\(stream.params.maximumDraws ?? 0) times; its backfill has started")
      }
    }
    bound.pass(draws)
  }
}
