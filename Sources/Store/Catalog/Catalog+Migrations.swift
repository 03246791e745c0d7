import Foundation
import GRDB
import Schema

extension Catalog {
  /// The version of the catalog that this code writes.
  static let version = migrationNames.count
  /// The names of the steps, in order; frozen once released.
  static let migrationNames = ["catalog_v1", "catalog_v2", "catalog_v3"]

  /// The steps from an empty file to the newest version, each one transaction.
  static func migrator(now: Int64, failpoints: Failpoints) -> DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration(migrationNames[0]) { db in
      try db.execute(sql: CatalogDDL.version1)
      try db.execute(
        sql: "INSERT INTO store (id, uuid, created_us, last_sequence) VALUES (1, ?, ?, 0)",
        arguments: [UUID().uuidString.lowercased(), now])
    }
    migrator.registerMigration(migrationNames[1]) { db in
      try db.execute(sql: CatalogDDL.version2)
      try sealAll(db)
      try failpoints.reach(.migrationInside)
    }
    migrator.registerMigration(migrationNames[2]) { db in
      try db.execute(sql: CatalogDDL.version3)
    }
    return migrator
  }

  /// Gives every triplet of version 1 its seal.
  private static func sealAll(_ db: Database) throws {
    for id in try TripletID.fetchAll(db, sql: "SELECT id FROM triplet") {
      guard let stored = try uncheckedTriplet(db, id) else { continue }
      try db.cachedStatement(sql: "UPDATE triplet SET seal = ? WHERE id = ?")
        .execute(arguments: [Seal.of(stored.row, stored.masks), id])
    }
  }

  /// Puts the splits that come with this build into the catalog, unless they are there.
  func installSplits() throws(StoreError) {
    try onDatabase("installing the splits") {
      let builtIn = try SplitData.builtIn()
      let known = try queue.read { db in
        Set(try String.fetchAll(db, sql: "SELECT name FROM split"))
      }
      let missing = builtIn.filter { !known.contains($0.name) }
      guard !missing.isEmpty else { return }
      try queue.write { db in for split in missing { try insertSplit(db, split) } }
    }
  }
}

/// Adds a split.
func insertSplit(_ db: Database, _ split: SplitData) throws {
  try db.execute(
    sql: "INSERT INTO split (name, note) VALUES (?, ?)", arguments: [split.name, split.note])
  let categories = split.seen.map { ($0, false) } + split.unseen.map { ($0, true) }
  for (position, (category, isUnseen)) in categories.enumerated() {
    try db.cachedStatement(
      sql: """
        INSERT INTO split_category (split, position, category, is_unseen) VALUES (?, ?, ?, ?)
        """
    ).execute(arguments: [split.name, position, category.text, isUnseen])
  }
}
