import GRDB
import Schema

/// The holder of the promises that streams leave behind.
private let streamHolder = "streams"

extension TripletStore {
  /// Writes down which snapshots are to stay if this process ends now; cheap when nothing is new.
  ///
  /// For a reader that comes back with its token after the daemon was killed.
  public func keepSnapshots() async throws(StoreError) {
    let now = now()
    let promises = leases.promises(now: now)
    guard isWorthWriting(promises, now: now) else { return }
    promised = promises
    try await write { db, _, context in try writePromises(db, promises, now: context.now) }
  }

  private func isWorthWriting(_ promises: [Int64: Int64], now: Int64) -> Bool {
    // What is held is promised for a full term each time: it is renewed when half is over.
    let early = leases.lingerMicroseconds / 2
    let isRenewalDue = promises.contains { snapshot, until in
      guard let written = promised[snapshot] else { return true }
      return until - written >= early
    }
    let isOver = promised.contains { snapshot, until in
      promises[snapshot] == nil && until > now
    }
    return isRenewalDue || isOver
  }

  /// The same at the end, directly.
  func keepPromises() {
    guard failure == nil else { return }
    let now = now()
    let promises = leases.promises(now: now)
    do {
      try catalog.queue.write { db in try writePromises(db, promises, now: now) }
    } catch {
      // What was written last holds.
    }
  }

  /// The oldest snapshot that is held; nil when none is.
  nonisolated func oldestHeld(now: Int64) -> Int64? { leases.oldestNeeded(now: now) }
}

private func writePromises(_ db: Database, _ promises: [Int64: Int64], now: Int64) throws {
  try db.execute(
    sql: "DELETE FROM snapshot_lease WHERE holder = ? OR expires_us <= ?",
    arguments: [streamHolder, now])
  for (snapshot, until) in promises.sorted(by: { $0.key < $1.key }) {
    try db.execute(
      sql: """
        INSERT INTO snapshot_lease (snapshot, holder, created_us, expires_us) VALUES (?, ?, ?, ?)
        """, arguments: [snapshot, streamHolder, now, until])
  }
}

extension Catalog {
  /// The oldest snapshot that is whole, and until when the catalog promises to keep which.
  func snapshotPromises() throws(StoreError) -> (oldest: Int64, kept: [Int64: Int64]) {
    try onDatabase("reading the promises of snapshots") {
      try queue.read { db in
        let oldest = try Int64.fetchOne(db, sql: "SELECT oldest_snapshot FROM store") ?? 0
        var kept: [Int64: Int64] = [:]
        for row in try Row.fetchAll(db, sql: "SELECT snapshot, expires_us FROM snapshot_lease") {
          let (snapshot, until): (Int64, Int64) = (try row.get(0), try row.get(1))
          kept[snapshot] = max(kept[snapshot] ?? 0, until)
        }
        return (oldest, kept)
      }
    }
  }
}
