import Foundation
import GRDB
public import Schema

extension TripletStore {
  /// What batches need to know of triplets, in the order asked for; from memory where it was asked
  /// before, all others with two queries.
  ///
  /// - Throws: ``StoreError/Code/tripletUnknown``, ``StoreError/Code/corrupt`` for one that was set
  ///   aside.
  public nonisolated func facts(_ ids: [TripletID]) async throws(StoreError) -> [TripletFacts] {
    var (found, moment) = factsCache.find(ids)
    let missing = Set(zip(ids, found).filter { $0.1 == nil }.map(\.0))
    if !missing.isEmpty {
      let read = try await readFacts(missing.sorted())
      factsCache.insert(read, readAt: moment)
      let byID = Dictionary(read.map { ($0.triplet, $0) }, uniquingKeysWith: { first, _ in first })
      for (index, id) in ids.enumerated() where found[index] == nil { found[index] = byID[id] }
    }
    var facts: [TripletFacts] = []
    facts.reserveCapacity(ids.count)
    for (id, entry) in zip(ids, found) {
      guard let entry else { throw Self.noTriplet(id) }
      guard !entry.isQuarantined else { throw Self.setAside(id) }
      facts.append(entry)
    }
    return facts
  }

  /// The catalog's rows of categories; nil for one that the store does not know.
  public nonisolated func rows(of categories: [CategoryName]) -> [Int64?] {
    index.read { state in categories.map { state.rows[$0] } }
  }

  /// Sets a triplet aside whose bytes were found broken.
  public nonisolated func setAside(_ id: TripletID) async { await quarantine(id) }

  private func readFacts(_ ids: [TripletID]) throws(StoreError) -> [TripletFacts] {
    let list = "[\(ids.map { "\($0)" }.joined(separator: ","))]"
    return try read("looking up triplets") { db in
      var masks: [TripletID: [TripletFacts.Mask]] = [:]
      let maskRows = try Row.fetchCursor(
        try db.cachedStatement(
          sql: """
            SELECT triplet, category, ordinal, pack, offset, stored_bytes, codec, checksum
            FROM mask WHERE triplet IN (SELECT value FROM json_each(?)) ORDER BY triplet, ordinal
            """), arguments: [list])
      while let row = try maskRows.next() {
        let place = try blobPlace(row, .mask, ordinal: row["ordinal"])
        masks[row["triplet"], default: []].append(.init(category: row["category"], place: place))
      }
      let rows = try Row.fetchCursor(
        try db.cachedStatement(
          sql: """
            SELECT id, width, height, prompt, quarantined_sequence, pack, offset, stored_bytes,
              codec, checksum
            FROM triplet
            WHERE id IN (SELECT value FROM json_each(?)) AND deleted_sequence IS NULL
            """), arguments: [list])
      var facts: [TripletFacts] = []
      while let row = try rows.next() {
        let (id, width, height): (TripletID, Int, Int) = (row["id"], row["width"], row["height"])
        let sides = 1...Limits.standard.maximumImageSide
        guard sides.contains(width), sides.contains(height) else {
          throw StoreError(.catalogDamaged, "catalog: triplet \(id) of \(width)x\(height) pixels")
        }
        facts.append(
          TripletFacts(
            triplet: id, width: width, height: height, prompt: row["prompt"],
            isQuarantined: row["quarantined_sequence"] as Int64? != nil,
            image: try blobPlace(row, .image, ordinal: 0), masks: masks[id] ?? []))
      }
      return facts
    }
  }

  private static func setAside(_ id: TripletID) -> StoreError {
    StoreError(.corrupt, "triplet \(id) was set aside because its bytes are damaged")
  }
}
