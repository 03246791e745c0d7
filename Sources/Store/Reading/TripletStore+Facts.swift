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
      let (read, failure) = try await readFacts(missing.sorted())
      if let failure {
        await setAside(failure.triplet, reason: failure.error.message)
        throw failure.error
      }
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

  /// Reads triplets, those that were deleted since a stream's snapshot included.
  private func readFacts(
    _ ids: [TripletID]
  ) throws(StoreError) -> (facts: [TripletFacts], failure: ReadFailure?) {
    let list = "[\(ids.map { "\($0)" }.joined(separator: ","))]"
    return try read("looking up triplets") { db in
      var masks: [TripletID: [Row]] = [:]
      let maskRows = try Row.fetchCursor(
        try db.cachedStatement(
          sql: """
            SELECT mask.*, category.name
            FROM mask LEFT JOIN category ON category.id = mask.category
            WHERE triplet IN (SELECT value FROM json_each(?)) ORDER BY triplet, ordinal
            """
        ).bound([list]))
      while let row = try maskRows.next() {
        masks[try row.get("triplet"), default: []].append(row.copy())
      }
      let rows = try Row.fetchCursor(
        try db.cachedStatement(
          sql: "SELECT * FROM triplet WHERE id IN (SELECT value FROM json_each(?))"
        ).bound([list]))
      var facts: [TripletFacts] = []
      while let row = try rows.next() {
        let id: TripletID = try row.get("id")
        do {
          facts.append(try Self.facts(id, row, masks[id] ?? []))
        } catch {
          let failure = StoreError.database(error, "reading triplet \(id)")
          guard failure.code == .corrupt else { throw failure }
          return (facts, ReadFailure(triplet: id, error: failure))
        }
      }
      return (facts, nil)
    }
  }

  /// What batches need of the rows of a triplet.
  private static func facts(
    _ id: TripletID, _ row: Row, _ masks: [Row]
  ) throws -> TripletFacts {
    let stored = try decoding(id) {
      StoredTriplet(row: try TripletRow(row), masks: try masks.map(MaskRow.init))
    }
    guard stored.isSealed else { throw StoreError.broken(id) }
    return TripletFacts(
      triplet: id, width: stored.row.width, height: stored.row.height, prompt: stored.row.prompt,
      isQuarantined: stored.isQuarantined, image: stored.row.image,
      masks: stored.masks.map { .init(category: $0.category, place: $0.place) })
  }

  private static func setAside(_ id: TripletID) -> StoreError {
    StoreError(.corrupt, "triplet \(id) was set aside because its bytes are damaged")
  }
}
