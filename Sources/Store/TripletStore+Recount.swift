import GRDB
public import Schema

extension TripletStore {
  /// Counts everything afresh and corrects what disagrees.
  ///
  /// - Throws: ``StoreError/Code/busy``, ``StoreError/Code/unwritable``.
  public func recount() async throws(StoreError) -> Recount.Result {
    try begin("a recount")
    do throws(StoreError) {
      let result = try await recountAlone()
      end()
      return result
    } catch {
      end()
      throw error
    }
  }

  private func recountAlone() async throws(StoreError) -> Recount.Result {
    let before = try compareCounts().problems
    let catalog = catalog
    try await write { db, _, context in
      let lists = try catalog.liveLists(db)
      for id in try Int64.fetchAll(db, sql: "SELECT id FROM category") {
        let (ids, instances) = lists[id] ?? ([], 0)
        try db.execute(
          sql: "UPDATE category SET stock = ?, instances = ? WHERE id = ?",
          arguments: [ids.count, instances, id])
      }
      try correctJobs(db)
      try correctPacks(db)
      // What changes of this commit came before is in those numbers.
      context.liveBytes = [:]
      context.promptIndexing = .rebuild
    }
    let counted = try catalog.loadIndex()
    let state = counted.read { $0 }
    index.update { $0 = state }
    let left = try compareCounts().problems
    return Recount.Result(corrected: before.filter { !left.contains($0) }, left: left)
  }
}

private func correctJobs(_ db: Database) throws {
  for state in ["done", "parked"] {
    let count = """
      (SELECT count(*) FROM work_item
        WHERE work_item.job = job.id AND work_item.state = '\(state)')
      """
    try db.execute(
      sql: "UPDATE job SET \(state)_count = \(count) WHERE \(state)_count <> \(count)")
  }
}

/// Bytes of a record: 32 of header, up to a multiple of 8.
private let recordBytes = "(stored_bytes + 39) / 8 * 8"

/// Bytes that the rows say are live, by pack.
func liveBytes(_ db: Database) throws -> [Int: Int] {
  var bytes: [Int: Int] = [:]
  for table in ["triplet", "mask"] {
    let rows = try Row.fetchAll(
      db, sql: "SELECT pack, sum(\(recordBytes)) FROM \(table) GROUP BY pack")
    for row in rows {
      let (pack, sum): (Int, Int) = (try row.get(0), try row.get(1))
      bytes[pack, default: 0] &+= sum
    }
  }
  return bytes
}

private func correctPacks(_ db: Database) throws {
  let live = try liveBytes(db)
  for pack in try Int.fetchAll(db, sql: "SELECT id FROM pack") {
    try db.execute(
      sql: "UPDATE pack SET live_bytes = ? WHERE id = ?", arguments: [live[pack] ?? 0, pack])
  }
}
