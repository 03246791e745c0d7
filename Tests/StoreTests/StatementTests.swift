import Foundation
import GRDB
import GRDBSQLite
import Testing

@testable import Store

@Suite("Arguments of a fetch")
struct StatementTests {
  private static let sql = "SELECT quote(?), quote(?), quote(?), quote(?), quote(?)"

  @Test("every kind of value arrives as it is, also the second time")
  func binds() throws {
    try DatabaseQueue().read { db in
      for _ in 0..<2 {
        let select = try db.cachedStatement(sql: Self.sql)
        let values: [(any DatabaseValueConvertible)?] = [
          "it's \0 ü", Int64.min, 0.5, nil, Data([1, 255]),
        ]
        let row = try Row.fetchOne(select.bound(values))
        let texts = row.map { row in (1..<5).map { row[$0] as String } }
        #expect(texts == ["-9223372036854775808", "0.5", "NULL", "X'01FF'"])
        #expect(try Int.fetchOne(db.makeStatement(sql: "SELECT length(?)").bound(["ü"])) == 1)
        #expect(try String.fetchOne(db.makeStatement(sql: "SELECT ?").bound([""])) == "")
      }
    }
  }

  @Test("a text that SQLite does not take is an error, and the statement can be used again")
  func refuses() throws {
    try DatabaseQueue().read { db in
      // Safe: the connection is this closure's; without memory SQLite answers on the same path.
      _ = unsafe sqlite3_limit(db.sqliteConnection, SQLITE_LIMIT_LENGTH, 100)
      let select = try db.cachedStatement(sql: "SELECT ?")
      let error = #expect(throws: DatabaseError.self) {
        try String.fetchOne(select.bound([String(repeating: "x", count: 200)]))
      }
      #expect(error?.resultCode == .SQLITE_TOOBIG)
      #expect(try String.fetchOne(select.bound(["short"])) == "short")
      #expect(throws: DatabaseError.self) { try String.fetchOne(select.bound([])) }
    }
  }
}
