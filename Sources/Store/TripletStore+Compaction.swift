import GRDB
public import Schema

extension TripletStore {
  /// Deleted triplets that one transaction forgets.
  private static let forgottenRows = 256
  /// Triplets, and bytes, that one commit moves: others wait no longer than that.
  private static let (movedRows, movedBytes) = (64, 4 << 20)
  /// Dead bytes below which a pack is not worth the trouble, unless nothing in it lives.
  private static let worthwhileBytes = 1 << 20

  /// Gives the space of deleted triplets back; streams and writers go on meanwhile.
  ///
  /// First the rows go of deleted triplets that no held snapshot shows. Then each pack of which at
  /// least `deadPercent` is dead is emptied: its live records are verified, appended to the pack
  /// that is being written, and their rows moved in the same transaction; then the pack's row goes,
  /// and at last its file. Whatever ends the process in between, the next open finds either the old
  /// place or the new one, and finishes what was begun.
  ///
  /// - Parameters:
  ///   - isGentle: rests as long as it works, and leaves packs with little to gain alone.
  ///   - progress: bytes of packs that are dealt with, of how many.
  /// - Throws: ``StoreError/Code/busy``, ``StoreError/Code/unwritable``.
  public nonisolated func compact(
    deadPercent: Int = Compact.standardDeadPercent, isGentle: Bool = false,
    progress: @Sendable (_ doneBytes: Int, _ totalBytes: Int) async -> Void = { _, _ in }
  ) async throws(StoreError) -> Compact.Result {
    try await begin("a compaction")
    do throws(StoreError) {
      let result = try await compactAlone(deadPercent, isGentle, progress)
      await end()
      return result
    } catch {
      await end()
      throw error
    }
  }

  private nonisolated func compactAlone(
    _ deadPercent: Int, _ isGentle: Bool,
    _ progress: @Sendable (_ doneBytes: Int, _ totalBytes: Int) async -> Void
  ) async throws(StoreError) -> Compact.Result {
    var result = Compact.Result()
    let before = summary.packBytes
    try options.failpoints.reach(.compactionPurgeBefore)
    while !Task.isCancelled {
      let count = try await forgetSome()
      guard count > 0 else { break }
      result.forgotten += count
    }
    try options.failpoints.reach(.compactionPurgeAfter)
    let minimum = isGentle ? Self.worthwhileBytes : 1
    let packs = try await worthEmptying(deadPercent, minimumBytes: minimum)
    let total = packs.reduce(0) { $0 + $1.bytes }
    var done = 0
    for pack in packs where !Task.isCancelled {
      let outcome = try await empty(pack.number, isGentle)
      result.moved += outcome.moved
      if outcome.isGone {
        result.packs += 1
      } else if !Task.isCancelled {
        result.damaged.append(pack.number)
      }
      done += pack.bytes
      await progress(done, total)
    }
    let after = summary
    result.freedBytes = before - after.packBytes
    result.deadBytes = after.deadBytes
    result.held = after.deleted
    result.oldestHeld = oldestHeld(now: await now())
    return result
  }

  /// Whether ``compact(deadPercent:isGentle:progress:)`` would find something to do.
  public func isCompactionDue(deadPercent: Int) throws(StoreError) -> Bool {
    guard maintenance == nil, failure == nil else { return false }
    if index.read({ $0.deletedCount }) > 0 {
      let oldest = try read("looking for deleted triplets") { db in
        try Int64.fetchOne(
          db, sql: "SELECT min(deleted_sequence) FROM triplet WHERE deleted_sequence IS NOT NULL")
      }
      if let oldest, oldest <= horizon() { return true }
    }
    let damaged = try damagedPacks()
    return index.read { state in
      state.packEnds.keys.contains {
        !damaged.contains($0)
          && Self.isWorthwhile($0, state, deadPercent, minimumBytes: Self.worthwhileBytes)
      }
    }
  }

  // MARK: One at a time

  /// Claims the store for a task that goes through all of it.
  ///
  /// - Throws: ``StoreError/Code/busy``.
  func begin(_ task: String) throws(StoreError) {
    if let failure { throw failure }
    guard maintenance == nil else {
      throw StoreError(.busy, "\(maintenance ?? "a task") is under way; ask again when it is over")
    }
    maintenance = task
  }

  /// Gives the claim back.
  func end() { maintenance = nil }

  // MARK: Steps

  /// Deletions up to here are behind every snapshot that anybody needs.
  private func horizon() -> Int64 {
    leases.oldestNeeded(now: now()) ?? index.read { $0.snapshot }
  }

  private func forgetSome() async throws(StoreError) -> Int {
    guard index.read({ $0.deletedCount }) > 0 else { return 0 }
    let (horizon, leases) = (horizon(), leases)
    return try await write { db, _, context in
      try forgetDeleted(db, upTo: horizon, limit: Self.forgottenRows, leases, &context)
    }
  }

  private func worthEmptying(
    _ deadPercent: Int, minimumBytes: Int
  ) throws(StoreError) -> [(number: Int, bytes: Int)] {
    let damaged = try damagedPacks()
    let packs = index.read { state in
      state.packEnds.filter {
        !damaged.contains($0.key)
          && Self.isWorthwhile($0.key, state, deadPercent, minimumBytes: minimumBytes)
      }.map { (number: $0.key, bytes: $0.value) }.sorted { $0.number < $1.number }
    }
    for pack in packs where writer.isOpen(pack.number) { writer.closePack() }
    return packs
  }

  private static func isWorthwhile(
    _ pack: Int, _ state: borrowing StoreIndex.State, _ deadPercent: Int, minimumBytes: Int
  ) -> Bool {
    let (dead, live) = (state.deadBytes(of: pack), state.liveBytes[pack] ?? 0)
    guard dead > 0 else { return false }
    if live == 0 { return true }
    return dead >= minimumBytes && dead * 100 >= (dead + live) * deadPercent
  }

  /// Packs with triplets that were set aside: those stay where they are, as evidence and for a
  /// repair, until they are released or deleted.
  private func damagedPacks() throws(StoreError) -> Set<Int> {
    try read("looking for damaged packs") { db in
      Set(
        try Int.fetchAll(
          db,
          sql: """
            SELECT pack FROM triplet
            WHERE quarantined_sequence IS NOT NULL AND deleted_sequence IS NULL
            """))
    }
  }

  /// Moves everything out of a pack and removes it, unless something in it is damaged.
  private nonisolated func empty(
    _ pack: Int, _ isGentle: Bool
  ) async throws(StoreError) -> (moved: Int, isGone: Bool) {
    var moved = 0
    while true {
      guard !Task.isCancelled else { return (moved, false) }
      let began = ContinuousClock.now
      let ids = try await some(in: pack)
      guard !ids.isEmpty else { break }
      guard let copies = try await copies(of: ids) else { return (moved, false) }
      try options.failpoints.reach(.compactionMoveBefore)
      let count = try await move(copies)
      try options.failpoints.reach(.compactionMoveAfter)
      guard count > 0 else { return (moved, false) }
      moved += count
      if isGentle { await rest(ContinuousClock.now - began) }
    }
    return (moved, try await remove(pack))
  }

  private nonisolated func rest(_ duration: Duration) async {
    do { try await Task.sleep(for: duration) } catch {
      // Cancelled: the loop sees it.
    }
  }

  /// Triplets with a record in a pack.
  private func some(in pack: Int) throws(StoreError) -> [TripletID] {
    try read("listing a pack's triplets") { db in
      let ids = try TripletID.fetchAll(
        db, sql: "SELECT id FROM triplet WHERE pack = ? ORDER BY offset LIMIT ?",
        arguments: [pack, Self.movedRows])
      guard ids.isEmpty else { return ids }
      return try TripletID.fetchAll(
        db, sql: "SELECT DISTINCT triplet FROM mask WHERE pack = ? LIMIT ?",
        arguments: [pack, Self.movedRows])
    }
  }

  /// Reads and verifies all records of triplets, up to the bytes of one commit; nil when one is
  /// damaged, which is set aside.
  private nonisolated func copies(
    of ids: [TripletID]
  ) async throws(StoreError) -> [[RecordCopy]]? {
    var copies: [[RecordCopy]] = []
    var bytes = 0
    for id in ids where bytes < Self.movedBytes {
      do throws(StoreError) {
        let records = try packs.copies(of: try await places(of: id), id)
        bytes += records.reduce(0) { $0 + $1.bytes.count }
        copies.append(records)
      } catch {
        guard error.code == .corrupt else { throw error }
        await setAside(id, reason: error.message)
        return nil
      }
    }
    return copies
  }

  private func places(of id: TripletID) throws(StoreError) -> [BlobPlace] {
    // Deleted ones as well: a snapshot that is held shows them.
    try read("looking up triplet \(id)") { db in try storedTriplet(db, id)?.places ?? [] }
  }

  private func move(_ copies: [[RecordCopy]]) async throws(StoreError) -> Int {
    try await write(copies: copies.flatMap { $0 }) { db, written, context in
      var places = (written?.places ?? [])[...]
      var moved = 0
      for records in copies {
        let new = Array(places.prefix(records.count))
        places = places.dropFirst(records.count)
        guard let id = records.first?.triplet else { continue }
        if try moveTriplet(db, id, from: records.map(\.place), to: new, &context) { moved += 1 }
      }
      return moved
    }
  }

  /// Removes a pack to which no row refers; false when one does.
  private func remove(_ pack: Int) async throws(StoreError) -> Bool {
    let failpoints = options.failpoints
    try failpoints.reach(.compactionSwapBefore)
    let isRetired = try await write { db, _, context in
      let isRetired = try retirePack(db, pack, &context)
      try failpoints.reach(.compactionSwapInside)
      return isRetired
    }
    try failpoints.reach(.compactionSwapAfter)
    guard isRetired else { return false }
    packs.retire(pack)
    try packs.remove(pack)
    try packs.sync()
    try failpoints.reach(.compactionUnlinkAfter)
    try await write { db, _, _ in
      try db.execute(sql: "DELETE FROM retired_pack WHERE id = ?", arguments: [pack])
    }
    return true
  }
}

extension PackFolder {
  /// The records of a triplet as they lie, verified.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  func copies(
    of places: [BlobPlace], _ triplet: TripletID
  ) throws(StoreError) -> [RecordCopy] {
    var copies: [RecordCopy] = []
    for place in places {
      let length = PackLayout.recordHeaderBytes + place.storedBytes
      var bytes = try file(place.pack).read(at: place.offset, count: length)
      _ = try PackRecord(bytes, place: place, of: triplet, file: Self.name(place.pack))
      bytes.append(contentsOf: repeatElement(0, count: place.recordBytes - length))
      copies.append(RecordCopy(triplet: triplet, place: place, bytes: bytes))
    }
    return copies
  }
}
