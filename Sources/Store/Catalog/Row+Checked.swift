import GRDB

extension Row {
  /// The value of a column, however damaged the row is.
  ///
  /// GRDB's subscripts trap where a stored value has another type than expected; what is read from
  /// a disk must never do that.
  ///
  /// - Throws: `RowDecodingError`, which ``StoreError/database(_:_:)`` takes for a damaged catalog.
  func get<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
    try decode(forColumn: column)
  }

  /// The value at a position; see ``get(_:)-(String)``.
  func get<Value: DatabaseValueConvertible>(_ index: Int) throws -> Value {
    try decode(atIndex: index)
  }
}
