import Foundation
import GRDB
private import GRDBSQLite
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
  /// How many migrations the store had seen when it was opened; 0 for a new one.
  let versionBefore: Int
  /// The main file, open as long as the connection: closing any descriptor of a file drops every lock
  /// that the process has on it (fcntl(2)), SQLite's among them.
  private let file: PosixFile
  private let failpoints: Failpoints

  /// The name of the file in the folder of a store.
  static let fileName = "catalog.sqlite"
  /// Bytes behind which the log is moved into the file and begins again; it gets hardly longer.
  static let logBytes = 16 << 20
  /// SQLite's page and what its log says of it.
  private static let pageBytes = 4096 + 24

  /// Opens the catalog at `path`, creating or migrating it.
  ///
  /// - Parameter hasPacks: whether pack files are there, so that a catalog must be as well.
  /// - Throws: ``StoreError/Code/newerVersion``, ``StoreError/Code/catalogDamaged``,
  ///   ``StoreError/Code/unwritable``.
  init(
    _ path: String, now: Int64, hasPacks: Bool, failpoints: Failpoints
  ) throws(StoreError) {
    self.failpoints = failpoints
    let length = try PosixFile.length(ofFileAt: path) ?? 0
    guard !hasPacks || length > 0 else {
      throw StoreError(
        .catalogDamaged,
        "\(path) is missing or empty, and the store has packs; restore the catalog from a backup "
          + "(nothing was changed)")
    }
    try failpoints.reach(.catalogCreateBefore)
    queue = try onDatabase("opening") {
      try DatabaseQueue(path: path, configuration: Self.configuration)
    }
    versionBefore = try Self.version(queue, path)
    try failpoints.reach(.migrationBefore)
    // Only now: a store of a newer version stays as it is, to the byte.
    let queue = queue
    try onDatabase("choosing the journal") {
      try queue.writeWithoutTransaction { db in
        try db.execute(
          sql: """
            PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
            PRAGMA journal_size_limit = \(Self.logBytes)
            """)
      }
    }
    try onDatabase("migrating") {
      try Self.migrator(now: now, failpoints: failpoints).migrate(queue)
    }
    try failpoints.reach(.migrationAfter)
    try Self.checkSchema(queue, path)
    // Before anything is acknowledged the file itself must be whole: with an empty main file
    // SQLite would throw its log away.
    try onDatabase("checkpointing") {
      try queue.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
    }
    file = try PosixFile(path, .write)
    try file.sync()
    try PosixFile.syncDirectory((path as NSString).deletingLastPathComponent)
    try failpoints.reach(.catalogCreateAfter)
    let text = try onDatabase("reading the store's identity") {
      try queue.read { db in try String.fetchOne(db, sql: "SELECT uuid FROM store") }
    }
    guard let text, let uuid = UUID(uuidString: text) else {
      throw StoreError(.catalogDamaged, "\(path): the table 'store' has no valid UUID")
    }
    self.uuid = uuid
  }

  private static var configuration: Configuration {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = true
    configuration.label = "catalog"
    configuration.prepareDatabase { db in
      // Nobody else may open the file, so nobody has to be asked for a lock. Damage is told as such,
      // and not passed on as whatever a damaged page seems to say.
      try db.execute(
        sql: """
          PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON
          """)
    }
    return configuration
  }

  /// How many of our migrations a database has seen.
  ///
  /// - Throws: ``StoreError/Code/newerVersion`` for one that has seen others.
  private static func version(_ queue: DatabaseQueue, _ path: String) throws(StoreError) -> Int {
    let (tables, seen) = try onDatabase("reading the version") {
      try queue.read { db in
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        let isOurs = try db.tableExists("grdb_migrations")
        let seen =
          isOurs ? try String.fetchAll(db, sql: "SELECT identifier FROM grdb_migrations") : nil
        return (tables, seen)
      }
    }
    guard let seen else {
      guard tables == 0 else {
        throw StoreError(
          .catalogDamaged,
          "\(path) is a database, but no catalog of Groundwell; was it swapped? Restore it")
      }
      return 0
    }
    guard Set(seen).isSubset(of: migrationNames) else {
      throw StoreError(
        .newerVersion,
        "\(path) was written by a newer Groundwell; this one knows catalog version "
          + "\(version): update Groundwell, or restore an older backup")
    }
    return seen.count
  }

  /// Holds every table and index against what the migrations make.
  private static func checkSchema(_ queue: DatabaseQueue, _ path: String) throws(StoreError) {
    let (found, expected) = try onDatabase("checking the tables") {
      let model = try DatabaseQueue()
      try migrator(now: 0, failpoints: .none).migrate(model)
      return (try queue.read(schema), try model.read(schema))
    }
    guard found != expected else { return }
    let odd = found.symmetricDifference(expected).map { $0.prefix(60) }.min() ?? ""
    throw StoreError(
      .catalogDamaged,
      "\(path): its tables are not those of a catalog of version \(version), beginning with "
        + "'\(odd)'; the file is damaged: restore it from a backup")
  }

  private static func schema(_ db: Database) throws -> Set<String> {
    try Set(
      String.fetchAll(
        db,
        sql: """
          SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '')
          FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'
          """))
  }

  /// Reads while the store is in use.
  ///
  /// Nobody else writes through the only connection meanwhile, so this needs no transaction; GRDB's
  /// `read` would forbid writes with a pragma that has SQLite compile every statement anew.
  func read<T>(_ doing: String, _ body: (Database) throws -> T) throws(StoreError) -> T {
    try onDatabase(doing) { try queue.unsafeRead { db in try body(db) } }
  }

  /// Moves what the log holds into the file when the log is long, so that it begins again.
  ///
  /// The log keeps its length: a sync of bytes that replace others does not have to note a new
  /// length as well, which takes a quarter of its time.
  func checkpointWhenDue() throws(StoreError) {
    let logged = try read("measuring the log") { db in
      loggedPages(db, startsAnew: false) * Self.pageBytes
    }
    guard logged > Self.logBytes else { return }
    try failpoints.reach(.checkpointBefore)
    try onDatabase("checkpointing") {
      try queue.writeWithoutTransaction { db in
        _ = try db.checkpoint(.restart)
        _ = loggedPages(db, startsAnew: true)
      }
    }
    try failpoints.reach(.checkpointAfter)
  }
}

/// Pages that commits have written to the log since the count last started.
private func loggedPages(_ db: Database, startsAnew: Bool) -> Int {
  var (count, highest): (Int32, Int32) = (0, 0)
  // Safe: the connection is open, and both numbers live for the duration of the call.
  let code = unsafe sqlite3_db_status(
    db.sqliteConnection, SQLITE_DBSTATUS_CACHE_WRITE, &count, &highest, startsAnew ? 1 : 0)
  return code == SQLITE_OK ? Int(count) : .max / Catalog.logBytes
}
