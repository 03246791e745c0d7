import Imaging
import Schema
import Store

/// The batches of opened streams.
extension Session {
  func batchGet(_ params: BatchGet.Params) async throws -> Answer<BatchGet> {
    let stream = try stream(params.stream)
    try inRange(params.k, 0...context.settings.limits.maximumBatchNumber, "k")
    let draws = stream.plan.draws(batch: params.k)
    let ids = draws.map { stream.view.triplet(category: $0.category, item: $0.item) }
    let bytes = BatchBuilder.dataBytes(count: draws.count, side: stream.imageSize)
    let (pool, context) = (context.pool, context)
    let (items, body) = try await withRoom(for: bytes) {
      try await inTurn {
        try await withTaskExecutorPreference(pool) {
          let items = try await Self.load(ids, draws, context)
          return (items, await Self.body(stream, items))
        }
      }
    }
    let thin = Set(draws.map(\.category)).filter(stream.isThin).sorted()
    let result = BatchGet.Result(
      k: params.k, token: stream.token(params.k + 1), prompts: items.map(\.info.prompt),
      epochs: draws.map(\.epoch), thin: thin.map { stream.view.categories[$0].name })
    return (result, body)
  }

  /// Off the session's actor, so that one batch does not hold up the others.
  private nonisolated static func body(
    _ stream: OpenStream, _ items: [BatchBuilder.Item]
  ) async -> [UInt8] {
    BatchBuilder(stream).body(items)
  }

  /// Reads each triplet once, also when the batch holds it several times.
  private nonisolated static func load(
    _ ids: [TripletID], _ draws: [Draw], _ context: DaemonContext
  ) async throws -> [BatchBuilder.Item] {
    let unique = Array(Set(ids)).sorted()
    let triplets = try await context.store.triplets(unique)
    let positions = Dictionary(
      uniqueKeysWithValues: unique.enumerated().map { ($1, $0) })
    return zip(ids, draws).compactMap { id, draw in
      positions[id].map { position in
        let (info, image, masks) = triplets[position]
        return BatchBuilder.Item(info: info, image: image, masks: masks, draw: draw)
      }
    }
  }

  func batchDone(_ params: BatchDone.Params) throws -> Empty {
    _ = try stream(params.stream)
    return Empty()
  }
}
