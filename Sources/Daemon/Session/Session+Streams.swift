import Foundation
import Schema
import Store
import Synchronization
import Wire

/// Requests that open and close streams.
extension Session {
  func streamOpen(
    _ asked: StreamOpen.Params, _ id: RequestID
  ) async throws -> StreamOpen.Result {
    try hasRoomForStream()
    let params = try await withSplit(asked)
    try check(params)
    let format = try BatchFormat(params, context.settings.limits)
    let names = try await categories(params)
    let before = try stocks(names)
    if params.snapshot == nil { try await fillThin(params, names, id) }
    let hold = try context.store.hold(params.snapshot)
    let view = try await context.store.view(names, at: hold.snapshot)
    let stream = try await open(params, format, view, hold)
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

  /// The parameters with a split's categories in place of its name; for `mixture` its unseen ones are
  /// the unseen ones unless others are named.
  private func withSplit(_ params: StreamOpen.Params) async throws -> StreamOpen.Params {
    guard let name = params.split, params.categories == nil, params.all != true else {
      return params
    }
    let answer = try await context.store.split(name)
    guard let split = answer.found else {
      throw DaemonError(
        .splitUnknown,
        "no split '\(name.prefix(64))' in this store; there are "
          + answer.names.joined(separator: ", "))
    }
    var params = params
    (params.split, params.categories) = (nil, split.seen + split.unseen)
    if params.policy == SelectionPolicy.mixture.rawValue, params.unseen == nil {
      params.unseen = split.unseen
    }
    return params
  }

  private func categories(_ params: StreamOpen.Params) async throws -> [CategoryName] {
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

  /// Waits for what thin categories lack; a stream that will take it in later only starts it.
  private func fillThin(
    _ params: StreamOpen.Params, _ names: [CategoryName], _ id: RequestID
  ) async throws {
    let rule = ThinRule(params)
    let thin = try thin(names, rule)
    guard !thin.isEmpty else { return }
    switch rule.onThin {
    case .wait: try await fill(thin, rule, id, remedy: "open again")
    case .repeat: if params.follow == true { try await startFilling(thin, rule) }
    case .fail: break
    }
  }

  // MARK: Opening

  private func open(
    _ params: StreamOpen.Params, _ format: BatchFormat, _ view: SnapshotView,
    _ hold: SnapshotHold
  ) async throws -> OpenStream {
    try hasEnough(params, view)
    let plan = try BatchPlan(
      batchSize: params.batchSize, categories: view.categories.map { ($0.name, $0.count) },
      selection: selection(params, view.categories.map(\.name)), seed: params.seed ?? 0,
      rank: params.rank ?? 0, world: params.world ?? 1, limits: context.settings.limits)
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
      params: params, view: view, hold: hold, plan: plan, imageSize: side,
      store: context.store.uuid, format: format,
      rows: context.store.rows(of: view.categories.map(\.name)),
      followed: try await followed(params, plan, view, side),
      bound: params.maximumDraws.map { DrawBound($0, categories: plan.categories.count) })
  }

  private func hasEnough(
    _ params: StreamOpen.Params, _ view: SnapshotView
  ) throws(DaemonError) {
    // Nothing can be drawn from nothing; fewer than the minimum may be wanted.
    let needed = params.onThin == .fail ? params.minimum ?? 1 : 1
    if let thin = view.categories.first(where: { $0.count < needed }) {
      throw DaemonError(
        .categoryThin,
        "'\(thin.name)' has \(thin.count) triplets in snapshot \(view.snapshot), the stream "
          + "needs \(needed); backfill it, or open with on_thin 'wait' and no snapshot")
    }
  }

  /// What a following stream shares with the other ranks of its plan; nil for other streams.
  private func followed(
    _ params: StreamOpen.Params, _ plan: BatchPlan, _ view: SnapshotView, _ side: Int
  ) async throws -> FollowedOrders? {
    guard params.follow == true else { return nil }
    var state = FollowedOrders.State(view, plan)
    try state.apply(params.edges ?? [:], plan)
    let grown = plan.categories.indices.filter { state.orders[$0].edges.count > 1 }
    state.view = try await context.store.grown(view, grown)
    for category in grown {
      let (needed, found) = (
        state.orders[category].edges.last?.count ?? 0,
        state.view.categories[category].count
      )
      guard found >= needed else {
        throw DaemonError(
          .snapshotGone,
          "the token's edges need \(needed) triplets of '\(plan.categories[category].name)', the "
            + "store has \(found)")
      }
    }
    let hash = PlanHash(params, plan, view, imageSize: side, store: context.store.uuid)
    return try context.follows.join(hash.text(withRank: false), state, plan)
  }

  private func side(_ params: StreamOpen.Params, _ view: SnapshotView) async throws -> Int {
    if let size = params.imageSize { return size }
    let first = view.triplet(category: 0, item: 0)
    guard let info = try await context.store.facts([first]).first else {
      throw TripletStore.noTriplet(first)
    }
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
      layout: stream.format.layout, slots: stream.format.slots, shares: stream.plan.shares)
  }

  // MARK: Closing

  func streamClose(_ params: StreamClose.Params) throws -> Empty {
    // Whoever closes a stream is done with its snapshot; whoever vanishes may come back.
    try stream(params.stream).hold.finish()
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
