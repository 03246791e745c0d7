import Synchronization
import Foundation
import Schema
import Store
import Wire

/// Requests about streams and batches.
extension Session {
  func streamOpen(_ params: StreamOpen.Params, _ id: RequestID) async throws -> StreamOpen.Result {
    try hasRoomForStream()
    try check(params)
    let format = try BatchFormat(params, context.settings.limits)
    let names = try await categories(params)
    let before = try stocks(names)
    if params.snapshot == nil { try await fillThin(params, names, id) }
    let view = try await context.store.view(names, at: params.snapshot)
    let stream = try await open(params, format, view)
    // Others may have been opened meanwhile.
    try hasRoomForStream()
    lastStream += 1
    streams[lastStream] = stream
    context.figures.streamCount.withLock { $0 += 1 }
    return result(params, stream, lastStream, before)
  }

  private func hasRoomForStream() throws(DaemonError) {
    guard streams.count < context.settings.limits.maximumStreams else {
      throw DaemonError(
        .overQuota,
        "\(streams.count) streams are open on this connection; close one with 'stream.close'")
    }
  }

  private func check(_ params: StreamOpen.Params) throws {
    let given = [params.categories != nil, params.split != nil, params.all == true]
    guard given.filter(\.self).count == 1 else {
      throw DaemonError(.invalidParams, "give one of 'categories', 'split' and 'all'")
    }
    if let policy = params.policy, SelectionPolicy(rawValue: policy) == nil {
      let offered = SelectionPolicy.allCases.map(\.rawValue).joined(separator: ", ")
      throw DaemonError(
        .unsupported, "policy '\(policy.prefix(32))' is not offered; this daemon has: \(offered)")
    }
    if let store = params.store, store != context.store.uuid {
      throw DaemonError(
        .snapshotGone, "the token is of store \(store.prefix(36)), this is \(context.store.uuid)")
    }
    let limits = context.settings.limits
    if let size = params.imageSize {
      try inRange(size, limits.minimumImageSide...limits.maximumImageSide, "image_size")
    }
    try inRange(params.minimum ?? 1, 1...limits.maximumTarget, "minimum")
    try isWait(params.waitSeconds ?? 600)
    try inRange(params.seed ?? 0, 0...((1 << 53) - 1), "seed")
    try inRange(params.batchSize, 1...limits.maximumBatchSize, "batch_size")
  }

  private func categories(_ params: StreamOpen.Params) async throws -> [CategoryName] {
    if let split = params.split {
      throw DaemonError(.splitUnknown, "no split '\(split.prefix(64))' in this store")
    }
    if let categories = params.categories {
      let limit = context.settings.limits.maximumCategories
      try inRange(categories.count, 1...limit, "the number of categories")
      guard Set(categories).count == categories.count else {
        throw DaemonError(.invalidParams, "a category is there twice")
      }
      return categories
    }
    let view = try await context.store.view(nil, at: params.snapshot)
    guard !view.categories.isEmpty else {
      throw DaemonError(
        .categoryThin, "the store is empty; make triplets with 'groundwell backfill'")
    }
    return view.categories.map(\.name)
  }

  /// Stock by category; 0 for one that the store does not know yet.
  private func stocks(_ names: [CategoryName]) throws -> [CategoryName: Int] {
    let known = try context.store.counts().categories
    let stocks = Dictionary(known.map { ($0.category, $0.stock) }, uniquingKeysWith: max)
    return Dictionary(uniqueKeysWithValues: names.map { ($0, stocks[$0] ?? 0) })
  }

  // MARK: Thin categories

  private func fillThin(
    _ params: StreamOpen.Params, _ names: [CategoryName], _ id: RequestID
  ) async throws {
    let minimum = params.minimum ?? 1
    let thin = try stocks(names).filter { $0.value < minimum }.map(\.key).sorted()
    guard !thin.isEmpty, params.onThin ?? .wait == .wait else { return }
    let goals = thin.map { Backfill.Goal(category: $0, target: minimum) }
    let order = Backfill.Params(goals: goals, imageSize: params.imageSize)
    let jobs = Set(try await backfill(order).outcomes.flatMap(\.jobs))
    let deadline = ContinuousClock.now + .seconds(params.waitSeconds ?? 600)
    var reporter = ProgressReporter(id)
    for await _ in context.signal.wakeUps() {
      // Jobs before stocks: a job that is done has all its triplets in the stock read after it.
      let infos =
        jobs.isEmpty
        ? [] : try await context.store.jobs(JobList.Params(jobs: jobs.sorted()))
      let stocks = try stocks(thin)
      guard let missing = thin.first(where: { stocks[$0] ?? 0 < minimum }) else { return }
      if let failed = infos.first(where: { $0.category == missing && $0.state != .active }),
        !infos.contains(where: { $0.category == missing && $0.state == .active })
      {
        throw DaemonError(
          .categoryThin,
          "'\(missing)' has \(stocks[missing] ?? 0) of \(minimum) triplets and its backfill is "
            + "\(failed.state.rawValue): \(failed.lastError ?? "no reason given")")
      }
      if reporter.isDue(infos) { await sendProgress(reporter.id, infos) }
      guard ContinuousClock.now < deadline else {
        throw DaemonError(
          .deadlineReached,
          "'\(missing)' has \(stocks[missing] ?? 0) of \(minimum) triplets after "
            + "\(params.waitSeconds ?? 600) s; its backfill goes on: open again later",
          retryAfterMilliseconds: 10_000)
      }
    }
    throw DaemonError(.stopping, "the daemon is stopping; the backfill goes on when it is back")
  }

  // MARK: Opening

  private func open(
    _ params: StreamOpen.Params, _ format: BatchFormat, _ view: SnapshotView
  ) async throws -> OpenStream {
    let minimum = params.minimum ?? 1
    // Nothing can be drawn from nothing; fewer than the minimum may be wanted.
    let isStrict = params.onThin == .fail
    let needed = isStrict ? minimum : 1
    if let thin = view.categories.first(where: { $0.count < needed }) {
      throw DaemonError(
        .categoryThin,
        "'\(thin.name)' has \(thin.count) triplets in snapshot \(view.snapshot), the stream "
          + "needs \(needed); backfill it, or open with on_thin 'wait' and no snapshot")
    }
    let plan = try BatchPlan(
      batchSize: params.batchSize, categories: view.categories.map { ($0.name, $0.count) },
      seed: params.seed ?? 0, rank: params.rank ?? 0, world: params.world ?? 1,
      limits: context.settings.limits)
    let side = try await side(params, view)
    let bytes = BatchLayout.dataBytes(format, count: plan.slots.count, side: side)
    let limit = context.settings.limits.maximumBatchBytes
    guard bytes + Safetensors.maximumHeaderBytes <= limit else {
      throw DaemonError(
        .invalidParams,
        "a batch of \(plan.slots.count) images of \(side)x\(side) takes \(bytes) bytes; at most "
          + "\(limit - Safetensors.maximumHeaderBytes): ask for fewer or smaller ones")
    }
    return OpenStream(
      view: view, plan: plan, imageSize: side, minimum: minimum, store: context.store.uuid,
      format: format, rows: context.store.rows(of: view.categories.map(\.name)))
  }

  private func side(_ params: StreamOpen.Params, _ view: SnapshotView) async throws -> Int {
    if let size = params.imageSize { return size }
    let info = try await context.store.triplet(view.triplet(category: 0, item: 0)).info
    guard info.width == info.height else {
      throw DaemonError(
        .invalidParams,
        "the store has images of \(info.width)x\(info.height); give image_size for square ones")
    }
    return info.width
  }

  private func result(
    _ params: StreamOpen.Params, _ stream: OpenStream, _ number: Int,
    _ before: [CategoryName: Int]
  ) -> StreamOpen.Result {
    let categories = stream.view.categories.enumerated().map { index, category in
      StreamOpen.Category(
        category: category.name, label: index + 1, stock: category.count,
        thin: stream.isThin(index))
    }
    let filled =
      params.snapshot != nil
      ? []
      : categories.filter { $0.stock > before[$0.category] ?? 0 }
        .map { ($0.category.text, $0.stock - (before[$0.category] ?? 0)) }
    return StreamOpen.Result(
      stream: number, token: stream.token(0), categories: categories,
      batchSize: stream.plan.slots.count, imageSize: stream.imageSize,
      epochBatches: stream.plan.epochBatchCount, plan: stream.fingerprint,
      filled: Dictionary(uniqueKeysWithValues: filled),
      delivery: stream.format.delivery.rawValue, tensors: stream.format.tensors,
      layout: stream.format.layout, slots: stream.format.slots,
      shares: categories.map { _ in 1 / Double(categories.count) })
  }

  // MARK: Closing

  func streamClose(_ params: StreamClose.Params) throws -> Empty {
    _ = try stream(params.stream)
    streams[params.stream] = nil
    context.slotLedger.release(slots.close(stream: params.stream), user: connection.peer.user)
    context.figures.streamCount.withLock { $0 -= 1 }
    return Empty()
  }

  func stream(_ number: Int) throws(DaemonError) -> OpenStream {
    guard let stream = streams[number] else {
      throw DaemonError(
        .streamUnknown, "no stream \(number) on this connection; open one with 'stream.open'")
    }
    return stream
  }
}
