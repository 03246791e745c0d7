import GRDB
import Schema

extension Catalog {
  /// Loads what the store answers from memory.
  func loadIndex() throws(StoreError) -> StoreIndex {
    let state = try onDatabase("loading counts") {
      try queue.read { db in
        var state = StoreIndex.State()
        state.snapshot = try Int64.fetchOne(db, sql: "SELECT last_sequence FROM store") ?? 0
        state.lastRemoval = try lastRemoval(db)
        state.tripletCount = try count(
          db, "triplet WHERE deleted_sequence IS NULL AND quarantined_sequence IS NULL")
        state.quarantinedCount = try count(
          db, "triplet WHERE deleted_sequence IS NULL AND quarantined_sequence IS NOT NULL")
        state.deletedCount = try count(db, "triplet WHERE deleted_sequence IS NOT NULL")
        for row in try Row.fetchAll(db, sql: "SELECT id, committed_bytes, live_bytes FROM pack") {
          let pack: Int = try row.get("id")
          state.packEnds[pack] = try row.get("committed_bytes")
          state.liveBytes[pack] = try row.get("live_bytes")
        }
        try loadCategories(db, &state)
        let active = JobList.Params(state: .active)
        for job in try WorkQueue.jobs(db, active, limit: Int(Int32.max)) {
          state.jobs[job.job] = job
        }
        return state
      }
    }
    return StoreIndex(state)
  }

  private func lastRemoval(_ db: Database) throws -> Int64 {
    try Int64.fetchOne(
      db,
      sql: """
        SELECT max(
          coalesce((SELECT max(deleted_sequence) FROM triplet
            WHERE deleted_sequence IS NOT NULL), 0),
          coalesce((SELECT max(quarantined_sequence) FROM triplet
            WHERE quarantined_sequence IS NOT NULL), 0))
        """) ?? 0
  }

  private func count(_ db: Database, _ what: String) throws -> Int {
    try Int.fetchOne(db, sql: "SELECT count(*) FROM \(what)") ?? 0
  }

  private func loadCategories(_ db: Database, _ state: inout StoreIndex.State) throws {
    let lists = try liveLists(db)
    for row in try Row.fetchAll(db, sql: "SELECT id, name, target FROM category") {
      let id: Int64 = try row.get("id")
      let name = try CategoryName(try row.get("name") as String)
      state.rows[name] = id
      state.entries[id] = StoreIndex.Entry(
        name: name, target: try row.get("target"), instances: lists[id]?.instances ?? 0,
        list: CategoryList(lists[id]?.ids ?? []))
    }
  }

  /// Every category's live triplets and masks, counted afresh from the masks.
  func liveLists(_ db: Database) throws -> [Int64: (ids: [UInt32], instances: Int)] {
    // Not as one query: a look at the triplet of every mask takes five times as long.
    let live = try liveTriplets(db)
    var lists: [Int64: (ids: [UInt32], instances: Int)] = [:]
    var (current, ids, instances): (Int64, [UInt32], Int) = (0, [], 0)
    let rows = try Row.fetchCursor(
      db, sql: "SELECT category, triplet FROM mask ORDER BY category, triplet")
    while let row = try rows.next() {
      let (category, triplet): (Int64, Int64) = (try row.get(0), try row.get(1))
      guard let id = UInt32(exactly: triplet), isIn(live, id) else { continue }
      if category != current {
        if instances > 0 { lists[current] = (ids, instances) }
        (current, ids, instances) = (category, [], 0)
      }
      instances += 1
      if ids.last != id { ids.append(id) }
    }
    if instances > 0 { lists[current] = (ids, instances) }
    return lists
  }

  /// The triplets that are neither deleted nor set aside, in rising order.
  private func liveTriplets(_ db: Database) throws -> [UInt32] {
    let rows = try Int64.fetchCursor(
      db,
      sql: """
        SELECT id FROM triplet WHERE deleted_sequence IS NULL AND quarantined_sequence IS NULL
        ORDER BY id
        """)
    var ids: [UInt32] = []
    while let id = try rows.next() {
      if let id = UInt32(exactly: id) { ids.append(id) }
    }
    return ids
  }

  /// Whether a sorted list has `id`.
  private func isIn(_ sorted: [UInt32], _ id: UInt32) -> Bool {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] == id
  }

  /// One category's triplets as they were at `snapshot`, those removed since included; with
  /// `growing` also all that were stored since, whether removed again or not.
  func list(
    category: Int64, at snapshot: Int64, growing: Bool = false
  ) throws(StoreError) -> CategoryList {
    let ids = try onDatabase("reading a snapshot") {
      try queue.read { db in
        try Int64.fetchAll(
          db,
          sql: """
            SELECT DISTINCT triplet FROM mask JOIN triplet ON triplet.id = mask.triplet
            WHERE category = ?1 AND ((?3 AND triplet > ?2) OR (triplet <= ?2
              AND (deleted_sequence IS NULL OR deleted_sequence > ?2)
              AND (quarantined_sequence IS NULL OR quarantined_sequence > ?2)))
            ORDER BY triplet
            """, arguments: [category, snapshot, growing])
      }
    }
    return CategoryList(ids.map { UInt32(truncatingIfNeeded: $0) })
  }
}
