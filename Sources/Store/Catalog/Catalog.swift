import Foundation
import GRDB
import Schema

/// The database of one store: exactly one connection, which writes and checkpoints.
///
/// SQLite before 3.51.3 can lose pages when a checkpoint on one connection meets a commit on
/// another ("WAL-reset bug", <https://sqlite.org/wal.html>); with one connection they never meet.
struct Catalog: Sendable {
  /// The connection.
  let queue: DatabaseQueue
  /// The UUID of the store.
  let uuid: UUID
  /// How many migrations the store has seen.
  static let version = 2

  /// Opens the catalog at `path`, creating or migrating it.
  ///
  /// - Throws: ``StoreError/Code/newerVersion``, ``StoreError/Code/catalogDamaged``,
  ///   ``StoreError/Code/unwritable``.
  init(_ path: String, now: Int64) throws(StoreError) {
    // Safe: the path is a Swift string, passed for the duration of the call.
    let isNew = unsafe access(path, F_OK) != 0
    var configuration = Configuration()
    configuration.foreignKeysEnabled = true
    configuration.label = "catalog"
    configuration.prepareDatabase { db in
      try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000")
    }
    queue = try onDatabase("opening") {
      try DatabaseQueue(path: path, configuration: configuration)
    }
    let queue = queue
    let isNewer = try onDatabase("reading the version") {
      try queue.read { db in try Self.migrator(now: now).hasBeenSuperseded(db) }
    }
    guard !isNewer else {
      throw StoreError(
        .newerVersion,
        "\(path) was written by a newer Groundwell; this one knows catalog version "
          + "\(Self.version): update Groundwell, or restore an older backup")
    }
    // Only now: a store of a newer version stays as it is, to the byte.
    try onDatabase("choosing the journal") {
      try queue.writeWithoutTransaction { db in
        try db.execute(sql: "PRAGMA journal_mode = WAL")
      }
    }
    try onDatabase("migrating") { try Self.migrator(now: now).migrate(queue) }
    if isNew {
      // Before anything is acknowledged the file itself must be whole: with an empty main file
      // SQLite would throw its log away.
      try onDatabase("checkpointing") {
        try queue.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
      }
      try PosixFile(path, .write).sync()
      try PosixFile.syncDirectory((path as NSString).deletingLastPathComponent)
    }
    let text = try onDatabase("reading the store's identity") {
      try queue.read { db in try String.fetchOne(db, sql: "SELECT uuid FROM store") }
    }
    guard let text, let uuid = UUID(uuidString: text) else {
      throw StoreError(.catalogDamaged, "\(path): the table 'store' has no valid UUID")
    }
    self.uuid = uuid
  }

  /// The steps from an empty file to the newest version; frozen once released.
  private static func migrator(now: Int64) -> DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("catalog_v1") { db in
      try db.execute(sql: CatalogDDL.version1)
      try db.execute(
        sql: "INSERT INTO store (id, uuid, created_us, last_sequence) VALUES (1, ?, ?, 0)",
        arguments: [UUID().uuidString.lowercased(), now])
    }
    migrator.registerMigration("catalog_v2") { db in try db.execute(sql: CatalogDDL.version2) }
    return migrator
  }
}
