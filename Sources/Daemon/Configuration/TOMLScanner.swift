/// Reads the pieces of a TOML document from its bytes.
struct TOMLScanner {
  /// Names that one key may have.
  static let maximumKeyParts = 8
  /// Lists inside lists.
  static let maximumDepth = 8

  private let bytes: [UInt8]
  private var position = 0
  /// The line that is read, counted from 1.
  private(set) var line = 1

  init(_ bytes: [UInt8]) {
    // A mark of UTF-8 that some editors write.
    self.bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
  }

  /// The next byte; nil at the end.
  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private var isAtLineEnd: Bool {
    switch next {
    case nil, UInt8(ascii: "\n"): true
    case UInt8(ascii: "\r"): position + 1 < bytes.count && bytes[position + 1] == 0x0A
    default: false
    }
  }

  /// Goes past one byte if it is the next.
  mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  private mutating func takeByte() -> UInt8? {
    guard let byte = next else { return nil }
    position += 1
    return byte
  }

  func error(_ message: String) -> TOMLError { TOMLError(line, message) }

  // MARK: Lines

  /// Goes to the next thing that is no space and no comment, over lines; false at the end.
  mutating func skipToContent() throws(TOMLError) -> Bool {
    while true {
      skipSpaces()
      try skipComment()
      guard isAtLineEnd else { return true }
      guard next != nil else { return false }
      takeLineEnd()
    }
  }

  /// Goes past spaces and a comment to the end of the line.
  mutating func endOfLine() throws(TOMLError) {
    skipSpaces()
    try skipComment()
    guard isAtLineEnd else { throw error("\(found()) behind the value; expected the line's end") }
  }

  mutating func skipSpaces() {
    while next == UInt8(ascii: " ") || next == UInt8(ascii: "\t") { position += 1 }
  }

  private mutating func skipComment() throws(TOMLError) {
    guard next == UInt8(ascii: "#") else { return }
    let start = position
    while !isAtLineEnd { position += 1 }
    _ = try text(bytes[start..<position])
  }

  private mutating func takeLineEnd() {
    if next == UInt8(ascii: "\r") { position += 1 }
    position += 1
    line += 1
  }

  /// What stands here, for a message.
  func found() -> String {
    guard !isAtLineEnd, let byte = next else { return "the end of the line" }
    guard (0x21...0x7E).contains(byte) else { return "the byte \(byte)" }
    return "'\(Character(UnicodeScalar(byte)))'"
  }

  // MARK: Keys

  /// `name]` behind `[`.
  mutating func tableHeader() throws(TOMLError) -> [String] {
    guard next != UInt8(ascii: "[") else {
      throw error("a list of tables; no setting takes one")
    }
    skipSpaces()
    let path = try key()
    skipSpaces()
    guard take(UInt8(ascii: "]")) else {
      throw error("\(found()) in the name of a table; expected ']'")
    }
    return path
  }

  /// A dotted key.
  mutating func key() throws(TOMLError) -> [String] {
    var parts = [try keyPart()]
    while true {
      skipSpaces()
      guard take(UInt8(ascii: ".")) else { return parts }
      skipSpaces()
      parts.append(try keyPart())
      guard parts.count <= Self.maximumKeyParts else {
        throw error("a key of more than \(Self.maximumKeyParts) names")
      }
    }
  }

  private mutating func keyPart() throws(TOMLError) -> String {
    if next == UInt8(ascii: "\"") || next == UInt8(ascii: "'") { return try string() }
    let start = position
    while let byte = next, Self.isBareKey(byte) { position += 1 }
    guard position > start else { throw error("\(found()) where a key is expected") }
    return try text(bytes[start..<position])
  }

  private static func isBareKey(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  /// `=` between key and value.
  mutating func expectEquals() throws(TOMLError) {
    skipSpaces()
    guard take(UInt8(ascii: "=")) else {
      throw error("\(found()) behind a key; expected '=' and a value")
    }
    skipSpaces()
  }

  // MARK: Values

  /// A value.
  mutating func value(depth: Int = 0) throws(TOMLError) -> TOMLValue {
    switch next {
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return .text(try string())
    case UInt8(ascii: "["): return .list(try list(depth: depth))
    case UInt8(ascii: "{"):
      throw error("an inline table; write [table] and 'key = value' on lines of their own")
    default: return try word()
    }
  }

  private mutating func list(depth: Int) throws(TOMLError) -> [TOMLValue] {
    guard depth < Self.maximumDepth else {
      throw error("lists nested deeper than \(Self.maximumDepth)")
    }
    position += 1
    var values: [TOMLValue] = []
    while true {
      guard try skipToContent() else { throw error("a list without its ']'") }
      if take(UInt8(ascii: "]")) { return values }
      values.append(try value(depth: depth + 1))
      guard try skipToContent() else { throw error("a list without its ']'") }
      if take(UInt8(ascii: "]")) { return values }
      guard take(UInt8(ascii: ",")) else {
        throw error("\(found()) in a list; expected ',' or ']'")
      }
    }
  }

  /// A boolean or a number.
  private mutating func word() throws(TOMLError) -> TOMLValue {
    let start = position
    let ends = Array(" \t,]#".utf8)
    while !isAtLineEnd, let byte = next, !ends.contains(byte) { position += 1 }
    let word = try text(bytes[start..<position])
    guard !word.isEmpty else { throw error("\(found()) where a value is expected") }
    if let value = TOMLNumber.value(word) { return value }
    if word.utf8.count >= 8, word.utf8.first.map({ (0x30...0x39).contains($0) }) == true,
      word.contains("-") || word.contains(":")
    {
      throw error("'\(word.prefix(64))' is a date or a time; no setting takes one")
    }
    throw error("'\(word.prefix(64))' is no value; text stands between quotes")
  }

  /// A string between quotes, on one line.
  private mutating func string() throws(TOMLError) -> String {
    guard let quote = takeByte() else { throw error("a string is expected") }
    if next == quote, position + 1 < bytes.count, bytes[position + 1] == quote {
      throw error("a string over several lines; no setting takes one")
    }
    var found: [UInt8] = []
    while !isAtLineEnd, let byte = takeByte() {
      if byte == quote { return try text(found[...]) }
      if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        found += try escape()
      } else {
        found.append(byte)
      }
    }
    throw error("a string without its closing quote")
  }

  private mutating func escape() throws(TOMLError) -> [UInt8] {
    switch takeByte() {
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "\""): return [0x22]
    case UInt8(ascii: "\\"): return [0x5C]
    case UInt8(ascii: "u"): return try scalar(digits: 4)
    case UInt8(ascii: "U"): return try scalar(digits: 8)
    default: throw error("an unknown escape behind '\\' in a string; write '\\\\' for a backslash")
    }
  }

  private mutating func scalar(digits: Int) throws(TOMLError) -> [UInt8] {
    let end = min(bytes.count, position + digits)
    let word = String(decoding: bytes[position..<end], as: UTF8.self)
    position = end
    let isHexadecimal = word.utf8.count == digits && word.allSatisfy(\.isHexDigit)
    guard isHexadecimal, let number = UInt32(word, radix: 16), let scalar = UnicodeScalar(number)
    else { throw error("'\(word)' names no character; expected \(digits) hexadecimal digits") }
    return Array(String(Character(scalar)).utf8)
  }

  /// Bytes as text, without what a text may not hold.
  private func text(_ bytes: ArraySlice<UInt8>) throws(TOMLError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw error("no UTF-8") }
    if let control = bytes.first(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }),
      // What an escape stands for may be in it; only a zero byte may not.
      control == 0 || !Self.escaped.contains(control)
    {
      throw error("the control character \(control)")
    }
    return text
  }

  private static let escaped: Set<UInt8> = [8, 10, 12, 13]
}

/// Numbers and booleans of TOML.
enum TOMLNumber {
  /// The value of a word; nil when it is neither.
  static func value(_ word: String) -> TOMLValue? {
    if word == "true" { return .boolean(true) }
    if word == "false" { return .boolean(false) }
    return integer(word).map { .integer($0) } ?? decimal(word).map { .decimal($0) }
  }

  private static func integer(_ word: String) -> Int? {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where word.hasPrefix(prefix) {
      return digits(word.dropFirst(2), radix: radix).flatMap { Int($0, radix: radix) }
    }
    let unsigned = word.hasPrefix("+") || word.hasPrefix("-") ? word.dropFirst() : word[...]
    guard let found = digits(unsigned, radix: 10), found == "0" || !found.hasPrefix("0") else {
      return nil
    }
    return Int((word.hasPrefix("-") ? "-" : "") + found)
  }

  /// Digits without their underscores, each of which must stand between two digits.
  private static func digits(_ word: Substring, radix: Int) -> String? {
    let parts = word.split(separator: "_", omittingEmptySubsequences: false)
    let areDigits = parts.allSatisfy { part in
      !part.isEmpty
        && part.utf8.allSatisfy { byte in
          byte < 0x80 && Character(UnicodeScalar(byte)).hexDigitValue.map { $0 < radix } == true
        }
    }
    return areDigits ? parts.joined() : nil
  }

  private static func decimal(_ word: String) -> Double? {
    let allowed = Set("0123456789+-._eE")
    // Without a point or an exponent it would be an integer, and is none: `012`, or too large.
    guard word.allSatisfy(allowed.contains), word.contains(where: { ".eE".contains($0) }) else {
      return nil
    }
    let mantissa = word.split(whereSeparator: { $0 == "e" || $0 == "E" }).first ?? ""
    guard !mantissa.hasSuffix("."), !mantissa.hasPrefix("."), !word.contains("__") else {
      return nil
    }
    return Double(word.replacing("_", with: ""))
  }
}
