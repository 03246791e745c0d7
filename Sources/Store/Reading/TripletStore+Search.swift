import GRDB
public import Schema

extension TripletStore {
  /// Finds live triplets by words of their prompts, newest first.
  ///
  /// - Throws: ``StoreError/Code/invalidArgument``, ``StoreError/Code/categoryUnknown``, and
  ///   ``StoreError/Code/unwritable`` when prompts that wait to be indexed cannot be.
  public func search(
    _ search: TripletSearch.Params
  ) async throws(StoreError) -> TripletSearch.Result {
    let query = try PromptQuery(search.text)
    let limit = try rowLimit(search.limit)
    var category: Int64?
    if let name = search.category {
      guard let row = index.read({ $0.rows[name] }) else { throw Self.unknown(name) }
      category = row
    }
    try await indexPrompts()
    return try read("a search") { db in
      let select = try db.cachedStatement(
        sql: """
          SELECT triplet.id FROM prompt_search JOIN triplet ON triplet.id = prompt_search.rowid
          WHERE prompt_search MATCH ?1 AND prompt_search.rowid < ?2
            AND deleted_sequence IS NULL AND quarantined_sequence IS NULL
            AND (?3 IS NULL OR EXISTS (
              SELECT 1 FROM mask WHERE mask.triplet = triplet.id AND mask.category = ?3))
          ORDER BY prompt_search.rowid DESC LIMIT ?4
          """)
      let ids = try TripletID.fetchAll(
        select.bound([query.expression, search.after ?? Int64.max, category, limit + 1]))
      let triplets = try ids.prefix(limit).compactMap { try uncheckedTriplet(db, $0) }
        .filter(\.isSealed).map(\.info)
      return TripletSearch.Result(
        triplets: triplets, next: ids.count > limit ? ids.prefix(limit).last : nil)
    }
  }

  /// How many rows an answer has at most.
  ///
  /// - Throws: ``StoreError/Code/invalidArgument``.
  func rowLimit(_ asked: Int?) throws(StoreError) -> Int {
    let limit = asked ?? 100
    guard (1...Limits.standard.maximumQueryRows).contains(limit) else {
      throw StoreError(
        .invalidArgument,
        "limit is \(limit); expected 1 to \(Limits.standard.maximumQueryRows)")
    }
    return limit
  }
}
