import GRDB
import Schema

/// Marks a triplet as deleted by `sequence`; false when there is none, or it was deleted before.
func deleteTriplet(
  _ db: Database, _ id: TripletID, at sequence: Int64, _ context: inout CommitContext
) throws -> Bool {
  let select = try db.cachedStatement(
    sql: "SELECT deleted_sequence, quarantined_sequence FROM triplet WHERE id = ?")
  guard let row = try Row.fetchOne(select, arguments: [id]) else { return false }
  let (deleted, quarantined): (Int64?, Int64?) = (try row.get(0), try row.get(1))
  guard deleted == nil else { return false }
  try db.cachedStatement(
    sql: "UPDATE triplet SET deleted_sequence = ?, seal = coalesce(?, seal) WHERE id = ?"
  ).execute(arguments: [sequence, try sealOfDeleted(db, id, sequence), id])
  let isSetAside = quarantined != nil
  context.deleted.append(
    .init(
      triplet: id, sequence: sequence, categories: isSetAside ? [] : try countOut(db, id),
      wasSetAside: isSetAside))
  return true
}

/// The seal of a triplet once it is deleted; nil when its rows are damaged already, which the old
/// seal goes on to say.
private func sealOfDeleted(_ db: Database, _ id: TripletID, _ sequence: Int64) throws -> Int64? {
  do {
    guard let stored = try storedTriplet(db, id) else { return nil }
    return Seal.of(stored.row, stored.masks, deleted: sequence)
  } catch let error as StoreError where error.code == .corrupt {
    return nil
  }
}

/// Removes the rows of deleted triplets that no snapshot from `horizon` on shows, oldest deletion
/// first; answers how many.
func forgetDeleted(
  _ db: Database, upTo horizon: Int64, limit: Int, _ leases: SnapshotLeases,
  _ context: inout CommitContext
) throws -> Int {
  let rows = try Row.fetchAll(
    db,
    sql: """
      SELECT id, deleted_sequence FROM triplet WHERE deleted_sequence <= ?
      ORDER BY deleted_sequence LIMIT ?
      """, arguments: [horizon, limit])
  guard let last = rows.last else { return 0 }
  let newest: Int64 = try last.get(1)
  // Somebody may have come in between, for a snapshot that shows one of them.
  guard leases.closeSnapshots(before: newest, now: context.now) else { return 0 }
  for row in rows { try forget(db, try row.get(0), &context) }
  try db.execute(
    sql: "UPDATE store SET oldest_snapshot = max(oldest_snapshot, ?)", arguments: [newest])
  return rows.count
}

private func forget(_ db: Database, _ id: TripletID, _ context: inout CommitContext) throws {
  let records = try Row.fetchAll(
    try db.cachedStatement(
      sql: """
        SELECT pack, stored_bytes FROM triplet WHERE id = ?1
        UNION ALL SELECT pack, stored_bytes FROM mask WHERE triplet = ?1
        """), arguments: [id])
  for record in records {
    let (pack, stored): (Int, Int) = (try record.get(0), try record.get(1))
    guard (1...PackLayout.maximumPayloadBytes).contains(stored) else { continue }
    context.liveBytes[pack, default: 0] -= PackLayout.recordBytes(payload: stored)
  }
  try PromptIndex.remove(db, id)
  try db.cachedStatement(sql: "DELETE FROM mask WHERE triplet = ?").execute(arguments: [id])
  try db.cachedStatement(sql: "DELETE FROM triplet WHERE id = ?").execute(arguments: [id])
  context.forgotten.append(id)
}

/// Points the rows of a triplet at records that were written once more; false when it is gone, or
/// lies elsewhere by now.
func moveTriplet(
  _ db: Database, _ id: TripletID, from old: [BlobPlace], to new: [BlobPlace],
  _ context: inout CommitContext
) throws -> Bool {
  guard let stored = try uncheckedTriplet(db, id), stored.places == old else { return false }
  for (old, new) in zip(old, new) {
    if new.kind == .image {
      try db.cachedStatement(sql: "UPDATE triplet SET pack = ?, offset = ? WHERE id = ?")
        .execute(arguments: [new.pack, new.offset, id])
    } else {
      try db.cachedStatement(
        sql: "UPDATE mask SET pack = ?, offset = ? WHERE triplet = ? AND ordinal = ?"
      ).execute(arguments: [new.pack, new.offset, id, new.ordinal])
    }
    context.countLive(old, isGone: true)
    context.countLive(new)
  }
  context.moved.append(id)
  return true
}

/// Lets go of a pack; false when a row still refers to it.
func retirePack(_ db: Database, _ pack: Int, _ context: inout CommitContext) throws -> Bool {
  let isUsed = try Bool.fetchOne(
    db,
    sql: """
      SELECT EXISTS (SELECT 1 FROM triplet WHERE pack = ?1)
        OR EXISTS (SELECT 1 FROM mask WHERE pack = ?1)
      """, arguments: [pack])
  guard isUsed == false else { return false }
  try db.execute(sql: "DELETE FROM pack WHERE id = ?", arguments: [pack])
  try db.execute(
    sql: "INSERT OR IGNORE INTO retired_pack (id) VALUES (?)", arguments: [pack])
  context.retiredPacks.append(pack)
  return true
}
