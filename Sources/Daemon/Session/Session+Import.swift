import Foundation
import Schema
import Store

/// Requests that bring triplets in from elsewhere.
extension Session {
  /// A body of so many bytes is encoded in less time than it takes to hand it to another thread
  /// and back a few times.
  private static let smallBodyBytes = 32 << 10

  func importTriplets(
    _ params: TripletImport.Params, _ body: [UInt8]
  ) async throws -> TripletImport.Result {
    try inRange(
      params.items.count, 1...context.settings.limits.maximumImportItems, "the number of items")
    try hasLength(params.source, "source")
    try areNames(params.items.map(\.item))
    let (load, pool, store) = (context.encodingLoad, context.pool, context.store)
    if body.count <= Self.smallBodyBytes {
      return try await load.countedSmall {
        let items = try Self.encoded(params, body, load.care)
        return TripletImport.Result(
          outcomes: try await store.importItems(items, source: params.source))
      }
    }
    let items = try await load.counted {
      try await withTaskExecutorPreference(pool) {
        try Self.encoded(params, body, load.care)
      }
    }
    return TripletImport.Result(
      outcomes: try await store.importItems(items, source: params.source))
  }

  func imported(_ params: ImportList.Params) async throws -> ImportList.Result {
    try inRange(
      params.items.count, 1...context.settings.limits.maximumQueryRows, "the number of items")
    try hasLength(params.source, "source")
    try areNames(params.items)
    return ImportList.Result(
      known: try await context.store.imported(params.items, source: params.source))
  }

  private func areNames(_ names: [String]) throws(DaemonError) {
    var seen = Set<String>()
    for name in names {
      guard (1...TripletImport.maximumItemBytes).contains(name.utf8.count) else {
        throw DaemonError(
          .invalidParams,
          "the name of an item has \(name.utf8.count) bytes; expected 1 to "
            + "\(TripletImport.maximumItemBytes)")
      }
      try hasNoZero(name, "the name of an item")
      guard seen.insert(name).inserted else {
        throw DaemonError(.invalidParams, "item '\(name.prefix(64))' is there twice")
      }
    }
  }

  private nonisolated static func encoded(
    _ params: TripletImport.Params, _ body: [UInt8], _ care: EncodingCare
  ) throws -> [(name: String, triplet: EncodedTriplet)] {
    let now = TripletStore.systemClock()
    let pixels = try TripletBody.decode(body, count: params.items.count)
    var items: [(name: String, triplet: EncodedTriplet)] = []
    for (item, (image, masks)) in zip(params.items, pixels) {
      let name = "item '\(item.item.prefix(64))'"
      guard masks.count == item.masks.count else {
        throw DaemonError(
          .badBody,
          "\(name): the body has \(masks.count) masks, the request describes \(item.masks.count)")
      }
      let triplet = Triplet(
        image: image, masks: Array(zip(item.masks, masks)).map { (info: $0.0, mask: $0.1) },
        prompt: item.prompt,
        provenance: Provenance(
          engine: TripletImport.engine, seed: 0, worker: params.source, createdMicroseconds: now))
      do throws(StoreError) {
        items.append((item.item, try EncodedTriplet(triplet, care)))
      } catch {
        throw StoreError(error.code, "\(name): \(error.message)", cause: error)
      }
    }
    return items
  }
}
