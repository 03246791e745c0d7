import GRDB
public import Schema

extension TripletStore {
  /// Problems that one check reports at most.
  private static let maximumProblems = 100
  /// Triplets whose blobs are read between two looks at the catalog.
  private static let pageRows = 256

  /// Compares counts in memory and in the catalog with a recount, and with `isDeep` reads every
  /// blob; damaged triplets are set aside.
  ///
  /// Everything but the blobs is compared at one moment, so the answer is exact while others
  /// write.
  ///
  /// - Parameter progress: bytes of packs that were read, of how many, about.
  public nonisolated func check(
    isDeep: Bool,
    progress: @Sendable (_ doneBytes: Int, _ totalBytes: Int) async -> Void = { _, _ in }
  ) async throws(StoreError) -> Check.Result {
    var result = try await compareCounts()
    guard isDeep else { return result }
    result.problems += try await comparePrompts()
    let (count, bytes) = (result.triplets, index.read { $0.packBytes - $0.deadBytes })
    var (after, done): (TripletID, Int) = (0, 0)
    while true {
      let page = try await page(after: after)
      guard let last = page.last else { return result }
      after = last
      done += page.count
      // Counted in triplets, told in bytes: what was stored meanwhile comes on top.
      await progress(count > 0 ? Int(Double(bytes) / Double(count) * Double(done)) : 0, bytes)
      for id in page {
        guard !Task.isCancelled else { return result }
        do throws(StoreError) {
          let triplet = try await triplet(id)
          result.blobsRead += 1 + triplet.masks.count
        } catch {
          // Deleted since the page was listed.
          if error.code == .tripletUnknown { continue }
          let isDamaged = error.code == .corrupt
          if isDamaged, !result.quarantined.contains(id) { result.quarantined.append(id) }
          if result.problems.count < Self.maximumProblems {
            result.problems.append(error.message)
          }
        }
      }
    }
  }

  private func page(after: TripletID) throws(StoreError) -> [TripletID] {
    try read("listing triplets") { db in
      try TripletID.fetchAll(
        db,
        sql: """
          SELECT id FROM triplet WHERE id > ? AND deleted_sequence IS NULL
            AND quarantined_sequence IS NULL ORDER BY id LIMIT ?
          """, arguments: [after, Self.pageRows])
    }
  }

  /// Holds the full text of the prompts against the prompts.
  private func comparePrompts() throws(StoreError) -> [String] {
    do throws(StoreError) {
      // At one moment: between two calls more prompts may have come.
      try onDatabase("comparing prompts") {
        try catalog.queue.writeWithoutTransaction(PromptIndex.check)
      }
      return []
    } catch {
      guard error.code == .catalogDamaged else { throw error }
      return ["the full text of prompts is not that of the prompts; 'groundwell recount' mends it"]
    }
  }

  private nonisolated func packBytes(
    _ db: Database, _ state: borrowing StoreIndex.State
  ) throws -> [String] {
    let live = try liveBytes(db)
    var problems: [String] = []
    for row in try Row.fetchAll(db, sql: "SELECT id, live_bytes FROM pack ORDER BY id") {
      let (pack, says): (Int, Int) = (try row.get(0), try row.get(1))
      let counted = live[pack] ?? 0
      if says != counted || state.liveBytes[pack] ?? 0 != counted {
        problems.append(
          "pack \(pack): a recount gives \(counted) live bytes, the catalog says \(says), memory "
            + "\(state.liveBytes[pack] ?? 0)")
      }
    }
    return problems
  }

  /// Compares counts in memory and in the catalog with a recount.
  func compareCounts() throws(StoreError) -> Check.Result {
    let state = index.read { $0 }
    return try read("a recount") { db in
      var problems: [String] = []
      let lists = try catalog.liveLists(db)
      for row in try Row.fetchAll(db, sql: "SELECT id, name, stock, instances FROM category") {
        let id: Int64 = try row.get("id")
        let (ids, instances) = lists[id] ?? ([], 0)
        let catalog: (Int, Int) = (try row.get("stock"), try row.get("instances"))
        let memory = (state.entries[id]?.list.count ?? -1, state.entries[id]?.instances ?? -1)
        if catalog != (ids.count, instances) || memory != (ids.count, instances) {
          problems.append(
            "category '\(try row.get("name") as String)': a recount gives stock \(ids.count) and "
              + "instances \(instances), the catalog says \(catalog), memory \(memory)")
        }
      }
      problems += try packBytes(db, state) + partial(db) + jobs(db)
      let live = "deleted_sequence IS NULL AND quarantined_sequence IS NULL"
      let triplets = try Int.fetchOne(db, sql: "SELECT count(*) FROM triplet WHERE \(live)") ?? 0
      if triplets != state.tripletCount {
        problems.append("a recount gives \(triplets) triplets, memory \(state.tripletCount)")
      }
      return Check.Result(
        triplets: triplets, masks: lists.values.reduce(0) { $0 + $1.instances }, blobsRead: 0,
        problems: Array(problems.prefix(Self.maximumProblems)),
        quarantined: try TripletID.fetchAll(
          db,
          sql: """
            SELECT id FROM triplet WHERE quarantined_sequence IS NOT NULL
              AND deleted_sequence IS NULL ORDER BY id
            """))
    }
  }

  private nonisolated func partial(_ db: Database) throws -> [String] {
    try TripletID.fetchAll(
      db,
      sql: """
        SELECT id FROM triplet WHERE NOT EXISTS (SELECT 1 FROM mask WHERE triplet = triplet.id)
        LIMIT ?
        """, arguments: [Self.maximumProblems]
    ).map { "triplet \($0) has no mask" }
      + Row.fetchAll(db, sql: "PRAGMA foreign_key_check").prefix(Self.maximumProblems).map { row in
        let (from, to): (String, String) = (try row.get(0), try row.get(2))
        return "a row of '\(from)' refers to a row of '\(to)' that is not there"
      }
  }

  private nonisolated func jobs(_ db: Database) throws -> [String] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT job.id, done_count, parked_count,
          count(iif(work_item.state = 'done', 1, NULL)) AS done,
          count(iif(work_item.state = 'parked', 1, NULL)) AS parked
        FROM job LEFT JOIN work_item ON work_item.job = job.id GROUP BY job.id
        HAVING done <> done_count OR parked <> parked_count LIMIT ?
        """, arguments: [Self.maximumProblems]
    ).map { row in
      let (id, done, parked): (Int64, Int, Int) = (
        try row.get("id"), try row.get("done"), try row.get("parked")
      )
      let says: (Int, Int) = (try row.get("done_count"), try row.get("parked_count"))
      return "job \(id): \(done) items are done and \(parked) parked, the job says \(says)"
    }
  }
}
