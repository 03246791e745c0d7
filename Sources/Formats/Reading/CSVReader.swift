/// Reads comma-separated values as RFC 4180 has them: quoted fields, doubled quotes, CRLF or LF.
package struct CSVReader {
  /// Bytes of one field.
  package static let maximumFieldBytes = 1 << 16
  /// Fields of one row.
  package static let maximumFields = 64

  private let bytes: [UInt8]
  private let name: String
  private var position = 0
  /// The line on which the last row began, counted from 1.
  package private(set) var line = 0
  private var nextLine = 1

  /// A reader of a whole file.
  package init(_ bytes: [UInt8], name: String) {
    self.bytes = bytes
    self.name = name
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  /// An error in the row that was read last.
  func broken(_ message: String) -> FormatError {
    FormatError(.badFile, "\(name), line \(line): \(message)")
  }

  /// The next row that is not empty; nil at the end.
  package mutating func next() throws(FormatError) -> [String]? {
    while position < bytes.count {
      line = nextLine
      let row = try row()
      if row.count > 1 || row[0] != "" { return row }
    }
    return nil
  }

  private mutating func row() throws(FormatError) -> [String] {
    var fields: [String] = []
    while true {
      let (field, isLast) = try field()
      guard let text = String(validating: field, as: UTF8.self) else {
        throw broken("a field is not UTF-8")
      }
      fields.append(text)
      if isLast { return fields }
      guard fields.count < Self.maximumFields else {
        throw broken("more than \(Self.maximumFields) fields")
      }
    }
  }

  private mutating func field() throws(FormatError) -> (bytes: [UInt8], isLast: Bool) {
    guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
      let start = position
      while position < bytes.count, bytes[position] != UInt8(ascii: ","), bytes[position] != 0x0A {
        position += 1
        guard position - start <= Self.maximumFieldBytes else { throw tooLong() }
      }
      var end = position
      let isLast = endField()
      if isLast, end > start, bytes[end - 1] == 0x0D { end -= 1 }
      return (Array(bytes[start..<end]), isLast)
    }
    position += 1
    var field: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      if byte == UInt8(ascii: "\"") {
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
          if position < bytes.count, bytes[position] == 0x0D { position += 1 }
          guard position >= bytes.count || [0x0A, UInt8(ascii: ",")].contains(bytes[position])
          else { throw broken("something follows a quoted field; expected ',' or a new line") }
          return (field, endField())
        }
        position += 1
      }
      if byte == 0x0A { nextLine += 1 }
      field.append(byte)
      guard field.count <= Self.maximumFieldBytes else { throw tooLong() }
    }
    throw broken("the file ends inside a quoted field; is it cut off?")
  }

  /// Passes over what ends a field; true at the end of a row.
  private mutating func endField() -> Bool {
    guard position < bytes.count else { return true }
    position += 1
    guard bytes[position - 1] == 0x0A else { return false }
    nextLine += 1
    return true
  }

  private func tooLong() -> FormatError {
    broken("a field of more than \(Self.maximumFieldBytes) bytes")
  }
}
