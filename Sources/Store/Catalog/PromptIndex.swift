import GRDB

/// The full text of the prompts, which follows the triplets in steps.
///
/// FTS5 writes what a transaction adds as a segment of its own and merges segments later, so a few
/// hundred prompts at a time cost a fraction of what they cost one by one. Those that wait are the
/// live and the deleted triplets behind `store.last_indexed`; whoever searches has them added first.
enum PromptIndex {
  /// So many prompts are not left waiting.
  static let limit = 256

  /// How many prompts wait.
  static func waiting(_ db: Database) throws -> Int {
    try Int.fetchOne(
      db, sql: "SELECT count(*) FROM triplet WHERE id > (SELECT last_indexed FROM store)") ?? 0
  }

  /// Follows a transaction, behind its last savepoint; `waiting` says how many waited before it.
  ///
  /// - Returns: how many wait now.
  static func follow(_ db: Database, _ context: CommitContext, waiting: Int) throws -> Int {
    let waiting = waiting + context.added.count
    switch context.promptIndexing {
    case .whenMany where waiting < limit: return waiting
    case .now where waiting == 0: return 0
    case .whenMany, .now: try add(db)
    case .rebuild:
      try db.execute(sql: "INSERT INTO prompt_search (prompt_search) VALUES ('rebuild')")
    }
    try db.cachedStatement(sql: "UPDATE store SET last_indexed = ?")
      .execute(arguments: [context.sequence])
    return 0
  }

  private static func add(_ db: Database) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO prompt_search (rowid, prompt)
        SELECT id, prompt FROM triplet WHERE id > (SELECT last_indexed FROM store)
        """
    ).execute()
  }

  /// Holds the full text against the prompts, those that wait added.
  ///
  /// - Throws: `DatabaseError` with `SQLITE_CORRUPT_VTAB` when they differ.
  static func check(_ db: Database) throws {
    try db.inSavepoint {
      try add(db)
      try db.execute(
        sql: "INSERT INTO prompt_search (prompt_search, rank) VALUES ('integrity-check', 1)")
      // What waits goes on waiting: nothing has changed behind the back of the commits.
      return .rollback
    }
  }

  /// Takes out a triplet whose row is about to go.
  static func remove(_ db: Database, _ id: Int64) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO prompt_search (prompt_search, rowid, prompt) SELECT 'delete', id, prompt
        FROM triplet WHERE id = ? AND id <= (SELECT last_indexed FROM store)
        """
    ).execute(arguments: [id])
  }
}

extension TripletStore {
  /// Has every prompt in the full text.
  func indexPrompts() async throws(StoreError) {
    guard promptsWaiting > 0 else { return }
    try await write { _, _, context in context.promptIndexing = .now }
  }
}
