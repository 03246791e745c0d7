import GRDB
import Schema

/// Sets a triplet aside; false when it is gone or set aside already.
func quarantineTriplet(
  _ db: Database, _ id: TripletID, reason: String, _ context: inout CommitContext
) throws -> Bool {
  let sequence = context.sequence + 1
  try db.execute(
    sql: """
      UPDATE triplet SET quarantined_sequence = ?
      WHERE id = ? AND quarantined_sequence IS NULL AND deleted_sequence IS NULL
      """, arguments: [sequence, id])
  guard db.changesCount == 1 else { return false }
  try db.execute(
    sql: "INSERT OR REPLACE INTO quarantine (triplet, found_us, reason) VALUES (?, ?, ?)",
    arguments: [id, context.now, String(reason.prefix(maximumReasonCharacters))])
  context.sequence = sequence
  context.quarantined.append(
    .init(triplet: id, sequence: sequence, categories: try countOut(db, id)))
  return true
}

/// Characters of a reason that are kept.
private let maximumReasonCharacters = 500

/// Takes a triplet's masks out of the counts; answers how many there are of each category.
func countOut(_ db: Database, _ id: TripletID) throws -> [(row: Int64, instances: Int)] {
  let rows = try Row.fetchAll(
    db, sql: "SELECT category, count(*) FROM mask WHERE triplet = ? GROUP BY category",
    arguments: [id])
  return try rows.map { row in
    let (category, count): (Int64, Int) = (try row.get(0), try row.get(1))
    // A damaged row must not make a count negative, which would keep it from being set aside.
    try db.execute(
      sql: """
        UPDATE category SET stock = max(stock - 1, 0),
          instances = max(instances - ?, stock - 1, 0) WHERE id = ?
        """, arguments: [count, category])
    return (category, count)
  }
}
