import Foundation
import GRDB
private import GRDBSQLite

extension Statement {
  /// The statement with its arguments, for a fetch that has texts among them.
  ///
  /// For a fetch SQLite copies each text, and GRDB ends the process when there is no memory
  /// for the copy; here that is an error. (What is executed and answers no rows is bound without
  /// a copy, and numbers need none.)
  ///
  /// - Parameter values: one for each parameter, in order.
  /// - Throws: `DatabaseError` when their number is wrong, or when SQLite cannot take one.
  func bound(_ values: [(any DatabaseValueConvertible)?]) throws -> Statement {
    // As far as GRDB knows the arguments are these; nothing is copied for a NULL.
    try setArguments(StatementArguments(values.map { _ in Int64?.none }))
    for (position, value) in zip(Int32(1)..., values) {
      // Safe: the statement has as many parameters as were set above.
      let code = unsafe bind(value?.databaseValue ?? .null, to: sqliteStatement, position)
      guard code == SQLITE_OK else {
        throw DatabaseError(
          resultCode: ResultCode(rawValue: code), message: "value \(position) could not be bound",
          sql: sql)
      }
    }
    return self
  }
}

/// Sets one parameter of a statement; answers SQLite's code.
private func bind(
  _ value: DatabaseValue, to statement: OpaquePointer, _ position: Int32
) -> Int32 {
  // Has SQLite copy before the call returns (`SQLITE_TRANSIENT`, which Swift does not import).
  let copying = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
  switch value.storage {
  case .null: return unsafe sqlite3_bind_null(statement, position)
  case .int64(let number): return unsafe sqlite3_bind_int64(statement, position, number)
  case .double(let number): return unsafe sqlite3_bind_double(statement, position, number)
  case .string(let text):
    // Safe: the pointer is to as many bytes and a zero, and lives for the duration of the call.
    return unsafe text.withCString { bytes in
      unsafe sqlite3_bind_text64(
        statement, position, bytes, UInt64(text.utf8.count), copying, UInt8(SQLITE_UTF8))
    }
  case .blob(let data):
    // Safe: the buffer lives for the duration of the call.
    return unsafe data.withUnsafeBytes { bytes in
      unsafe sqlite3_bind_blob64(
        statement, position, bytes.baseAddress, UInt64(bytes.count), copying)
    }
  }
}
