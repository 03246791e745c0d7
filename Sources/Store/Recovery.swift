import Foundation
import GRDB
import Schema

/// Makes a store whole again at open, after whatever ended its last owner.
enum Recovery {
  /// Cuts off what was never acknowledged, returns leases, and says where to go on writing.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when acknowledged bytes are missing.
  static func run(
    _ catalog: Catalog, _ packs: PackFolder, now: Int64
  ) throws(StoreError) -> PackWriter {
    let rows = try onDatabase("reading the packs") {
      try catalog.queue.read { db in
        try Row.fetchAll(db, sql: "SELECT id, committed_bytes, is_sealed FROM pack ORDER BY id")
      }
    }
    var last = (number: 0, bytes: 0, isSealed: true)
    for row in rows {
      last = (row["id"], row["committed_bytes"], row["is_sealed"])
      let file = try packs.file(last.number)
      let length = try file.length()
      guard length >= last.bytes else {
        throw StoreError(
          .corrupt,
          "\(file.path) has \(length) bytes, the catalog needs \(last.bytes): "
            + "acknowledged triplets are missing; restore the pack from a backup")
      }
      if length > last.bytes {
        try file.truncate(to: last.bytes)
        try file.sync()
      }
    }
    try returnLeases(catalog)
    return try PackWriter(
      packs, number: last.number, committedBytes: last.bytes, isSealed: last.isSealed)
  }

  /// Leases end with the daemon that gave them; a worker that lives on may still submit, as long
  /// as nobody else has taken its item.
  private static func returnLeases(_ catalog: Catalog) throws(StoreError) {
    try onDatabase("returning leases") {
      try catalog.queue.write { db in
        try db.execute(
          sql: """
            UPDATE work_item SET state = 'pending', lease_expires_us = NULL
            WHERE state = 'leased'
            """)
      }
    }
  }
}
