import GRDB
private import GRDBSQLite

/// Copies the catalog page by page into another file, while the same connection goes on writing.
///
/// SQLite carries changes that this connection makes between two steps over to the copy
/// (<https://sqlite.org/c3ref/backup_finish.html>), so what is there after the last step is the
/// catalog as it is at that moment. For the store's queue only.
@safe final class CatalogCopy {
  private let source: DatabaseQueue
  private let path: String
  private var target: OpaquePointer?
  private var backup: OpaquePointer?

  /// Begins a copy to the file `path`, which must not be there.
  init(_ source: DatabaseQueue, to path: String) throws(StoreError) {
    self.source = source
    self.path = path
    var target: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
    // Safe: the path is a Swift string; the handle is closed in `deinit`.
    let code = unsafe sqlite3_open_v2(path, &target, flags, nil)
    unsafe self.target = target
    unsafe backup = nil
    guard code == SQLITE_OK else { throw failure("opening", code) }
    let made = source.writeWithoutTransaction { db in
      unsafe backup = sqlite3_backup_init(target, "main", db.sqliteConnection, "main")
      return unsafe backup != nil
    }
    guard made else { throw failure("beginning", unsafe sqlite3_errcode(target)) }
  }

  deinit { end() }

  /// Copies some pages; answers how many are left, 0 when all is copied and in the file.
  func step(pages: Int32) throws(StoreError) -> (left: Int, total: Int) {
    // Safe: both handles are open, and only the store's queue comes here.
    let code = source.writeWithoutTransaction { _ in unsafe sqlite3_backup_step(backup, pages) }
    let total = Int(unsafe sqlite3_backup_pagecount(backup))
    switch code {
    case SQLITE_OK, SQLITE_BUSY, SQLITE_LOCKED:
      return (max(1, Int(unsafe sqlite3_backup_remaining(backup))), total)
    case SQLITE_DONE:
      end()
      return (0, total)
    default:
      throw failure("writing", code)
    }
  }

  private func end() {
    // Safe: each handle is given back once. What a step has reported as done is in the file.
    if let open = unsafe backup { _ = unsafe sqlite3_backup_finish(open) }
    unsafe backup = nil
    if let open = unsafe target { _ = unsafe sqlite3_close_v2(open) }
    unsafe target = nil
  }

  private func failure(_ doing: String, _ code: Int32) -> StoreError {
    // Safe: SQLite's own constant text.
    let reason = unsafe String(cString: sqlite3_errstr(code))
    let isFull = code & 0xFF == SQLITE_FULL
    return StoreError(isFull ? .full : .unwritable, "\(path): \(doing) failed: \(reason)")
  }
}
