/// A value of a configuration file.
enum TOMLValue: Sendable, Equatable {
  case text(String)
  case integer(Int)
  case decimal(Double)
  case boolean(Bool)
  case list([TOMLValue])

  /// What it is, for a sentence: `"two" (a string)`.
  var description: String {
    switch self {
    case .text(let text): "\"\(text.prefix(64))\" (a string)"
    case .integer(let number): "\(number) (an integer)"
    case .decimal(let number): "\(number) (a decimal number)"
    case .boolean(let flag): "\(flag) (a boolean)"
    case .list: "a list"
    }
  }
}

/// What a configuration file says, line by line.
///
/// The part of TOML 1.0 (<https://toml.io>) that a file of settings needs: tables, dotted and quoted
/// keys, strings on one line, integers, decimal numbers, booleans, lists. Dates, inline tables, lists
/// of tables and strings over several lines are refused by name, because no setting takes one.
struct TOMLDocument: Sendable, Equatable {
  /// One `key = value`.
  struct Entry: Sendable, Equatable {
    /// The key with the names of its tables: `["workers", "count"]`.
    let path: [String]
    let value: TOMLValue
    /// Counted from 1.
    let line: Int
  }

  /// Keys, and headers of tables, that one document may have.
  static let maximumEntries = 4096

  /// Everything that is set, in the order of the file.
  private(set) var entries: [Entry] = []
  /// The headers of tables, in the order of the file.
  private(set) var tables: [(path: [String], line: Int)] = []

  /// Reads a document.
  ///
  /// - Throws: ``TOMLError`` with the first line that is wrong.
  init(_ bytes: [UInt8]) throws(TOMLError) {
    var scanner = TOMLScanner(bytes)
    var table: [String] = []
    while try scanner.skipToContent() {
      let line = scanner.line
      guard entries.count + tables.count < Self.maximumEntries else {
        throw TOMLError(line, "more than \(Self.maximumEntries) keys and tables")
      }
      if scanner.take(UInt8(ascii: "[")) {
        table = try scanner.tableHeader()
        try addTable(table, line)
      } else {
        let key = try scanner.key()
        try scanner.expectEquals()
        let entry = Entry(path: table + key, value: try scanner.value(), line: line)
        try add(entry)
      }
      try scanner.endOfLine()
    }
  }

  private mutating func addTable(_ path: [String], _ line: Int) throws(TOMLError) {
    if let first = tables.first(where: { $0.path == path }) {
      throw TOMLError(
        line, "[\(path.joined(separator: "."))] is there twice, first on line \(first.line)")
    }
    if let entry = entries.first(where: { path.starts(with: $0.path) }) {
      throw TOMLError(
        line,
        "[\(path.joined(separator: "."))] would be a table, but line \(entry.line) gives "
          + "'\(entry.path.joined(separator: "."))' a value")
    }
    tables.append((path, line))
  }

  private mutating func add(_ entry: Entry) throws(TOMLError) {
    let name = entry.path.joined(separator: ".")
    if let first = entries.first(where: { $0.path == entry.path }) {
      throw TOMLError(entry.line, "'\(name)' is there twice, first on line \(first.line)")
    }
    let isInside = { (other: [String]) in
      other.starts(with: entry.path) || entry.path.starts(with: other)
    }
    if let other = entries.first(where: { isInside($0.path) }) {
      throw TOMLError(
        entry.line, "'\(name)' is a value and a table at once, see line \(other.line)")
    }
    if let table = tables.first(where: { $0.path.starts(with: entry.path) }) {
      throw TOMLError(entry.line, "'\(name)' is a table already, see line \(table.line)")
    }
    entries.append(entry)
  }

  static func == (one: TOMLDocument, other: TOMLDocument) -> Bool {
    one.entries == other.entries
      && one.tables.elementsEqual(other.tables) { $0.path == $1.path && $0.line == $1.line }
  }
}

/// The first thing that is wrong in a configuration file, and where.
struct TOMLError: Error, Sendable, Equatable {
  /// Counted from 1.
  let line: Int
  /// What is wrong, without the file and the line.
  let message: String

  init(_ line: Int, _ message: String) {
    self.line = line
    self.message = message
  }
}
