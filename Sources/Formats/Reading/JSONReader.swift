/// Reads JSON from front to back and keeps nothing but what it is asked for.
///
/// Files of annotations have hundreds of megabytes; what nobody asks for is skipped without memory.
/// Depth, lengths and numbers are bounded, whatever the bytes say.
package struct JSONReader {
  /// Levels of nesting that are followed.
  package static let maximumDepth = 64
  /// Bytes of the longest text that is kept.
  package static let maximumTextBytes = 16 << 20

  package let bytes: [UInt8]
  /// Where it reads next.
  package private(set) var position: Int
  /// The file, for messages.
  let name: String
  private var depth = 0

  /// A reader of a whole file, or of the value that begins at `position`.
  package init(_ bytes: [UInt8], name: String, at position: Int = 0) {
    self.bytes = bytes
    self.name = name
    self.position = position
    if position == 0, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { self.position = 3 }
  }

  /// An error at the place that was reached.
  func broken(_ message: String) -> FormatError {
    FormatError(.badFile, "\(name): \(message) at byte \(position)")
  }

  /// The first byte of the next value; nil at the end.
  package mutating func peek() -> UInt8? {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return bytes[position]
      }
    }
    return nil
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws(FormatError) {
    guard let found = peek() else {
      throw broken("the JSON ends where \(what) is expected; is the file cut off?")
    }
    guard found == byte else { throw broken("expected \(what), found '\(shown(found))'") }
    position += 1
  }

  private func shown(_ byte: UInt8) -> String {
    (0x21..<0x7F).contains(byte)
      ? String(UnicodeScalar(byte)) : "byte 0x" + String(byte, radix: 16)
  }

  private mutating func enter(_ byte: UInt8, _ what: String) throws(FormatError) {
    try expect(byte, what)
    depth += 1
    guard depth <= Self.maximumDepth else {
      throw broken("the JSON nests deeper than \(Self.maximumDepth) levels")
    }
  }

  /// Reads an object; `member` must consume the value of each key, by ``skip()`` if nothing else.
  package mutating func object(
    _ member: (String, inout JSONReader) throws(FormatError) -> Void
  ) throws(FormatError) {
    try enter(UInt8(ascii: "{"), "an object")
    if peek() == UInt8(ascii: "}") {
      position += 1
    } else {
      while true {
        let key = try text()
        try expect(UInt8(ascii: ":"), "':'")
        try member(key, &self)
        if peek() == UInt8(ascii: ",") {
          position += 1
          continue
        }
        try expect(UInt8(ascii: "}"), "',' or '}'")
        break
      }
    }
    depth -= 1
  }

  /// Reads an array; `element` must consume each value.
  package mutating func array(
    _ element: (Int, inout JSONReader) throws(FormatError) -> Void
  ) throws(FormatError) {
    try enter(UInt8(ascii: "["), "an array")
    if peek() == UInt8(ascii: "]") {
      position += 1
    } else {
      var index = 0
      while true {
        try element(index, &self)
        index += 1
        if peek() == UInt8(ascii: ",") {
          position += 1
          continue
        }
        try expect(UInt8(ascii: "]"), "',' or ']'")
        break
      }
    }
    depth -= 1
  }

  /// Reads a text.
  package mutating func text() throws(FormatError) -> String {
    let raw = try textBytes()
    guard let text = String(validating: raw, as: UTF8.self) else {
      throw broken("a text is not UTF-8")
    }
    return text
  }

  /// Reads a text as its bytes.
  package mutating func textBytes() throws(FormatError) -> [UInt8] {
    try expect(UInt8(ascii: "\""), "a text")
    let start = position
    // Most texts have no escapes: one slice.
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        guard position - start <= Self.maximumTextBytes else { throw tooLong() }
        defer { position += 1 }
        return Array(bytes[start..<position])
      }
      if byte == UInt8(ascii: "\\") { break }
      guard byte >= 0x20 else { throw broken("a control character inside a text") }
      position += 1
    }
    var text = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return text
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw broken("a control character inside a text")
      default: text.append(byte)
      }
      guard text.count <= Self.maximumTextBytes else { throw tooLong() }
    }
    throw broken("the JSON ends inside a text; is the file cut off?")
  }

  private func tooLong() -> FormatError {
    broken("a text of more than \(Self.maximumTextBytes) bytes")
  }

  private mutating func escape(into text: inout [UInt8]) throws(FormatError) {
    guard position < bytes.count else { throw broken("the JSON ends inside a text") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code) {
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw broken("half of a surrogate pair") }
        position += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw broken("half of a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = UnicodeScalar(code) else { throw broken("half of a surrogate pair") }
      text.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw broken("an unknown escape in a text")
    }
  }

  private mutating func hexadecimal() throws(FormatError) -> UInt32 {
    guard bytes.count - position >= 4,
      let text = String(validating: bytes[position..<(position + 4)], as: UTF8.self),
      text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
      let code = UInt32(text, radix: 16)
    else { throw broken("a broken \\u escape in a text") }
    position += 4
    return code
  }

  /// Reads a number.
  package mutating func number() throws(FormatError) -> Double {
    guard let first = peek() else {
      throw broken("the JSON ends where a number is expected; is the file cut off?")
    }
    let start = position
    var isSimple = true
    var mantissa = 0
    var digits = 0
    var decimals = -1
    if first == UInt8(ascii: "-") { position += 1 }
    scan: while position < bytes.count {
      switch bytes[position] {
      case 0x30...0x39:
        digits += 1
        if digits <= 15 { mantissa = mantissa * 10 + Int(bytes[position] - 0x30) }
        if decimals >= 0 { decimals += 1 }
      case UInt8(ascii: "."):
        guard decimals < 0 else { throw broken("a number with two points") }
        decimals = 0
      case UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"):
        isSimple = false
      default: break scan
      }
      position += 1
      guard position - start <= 64 else { throw broken("a number of more than 64 characters") }
    }
    guard digits > 0 else { throw broken("expected a number, found '\(shown(first))'") }
    if isSimple, digits <= 15 {
      // Exact: both fit a double's 53 bits, and one division rounds once.
      let value = Double(mantissa) / Self.powers[max(0, decimals)]
      return first == UInt8(ascii: "-") ? -value : value
    }
    guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)),
      value.isFinite
    else { throw broken("a broken number") }
    return value
  }

  private static let powers: [Double] = (0...15).map { exponent in
    (0..<exponent).reduce(1.0) { power, _ in power * 10 }
  }

  /// Reads a whole number of at most 2^53 - 1.
  package mutating func integer() throws(FormatError) -> Int {
    let value = try number()
    guard value == value.rounded(), abs(value) < 0x1p53 else {
      throw broken("expected a whole number, found \(value)")
    }
    return Int(value)
  }

  /// Reads true, false, 0 or 1.
  package mutating func flag() throws(FormatError) -> Bool {
    switch peek() {
    case UInt8(ascii: "t"):
      try word("true")
      return true
    case UInt8(ascii: "f"):
      try word("false")
      return false
    default: return try number() != 0
    }
  }

  private mutating func word(_ word: StaticString) throws(FormatError) {
    let text = Array("\(word)".utf8)
    guard bytes.count - position >= text.count,
      bytes[position..<(position + text.count)].elementsEqual(text)
    else { throw broken("expected '\(word)'") }
    position += text.count
  }

  /// Whether the next value is null; consumes it then.
  package mutating func isNull() throws(FormatError) -> Bool {
    guard peek() == UInt8(ascii: "n") else { return false }
    try word("null")
    return true
  }

  /// Passes over any value.
  package mutating func skip() throws(FormatError) {
    switch peek() {
    case UInt8(ascii: "{"):
      try object { (_, reader) throws(FormatError) in try reader.skip() }
    case UInt8(ascii: "["):
      try array { (_, reader) throws(FormatError) in try reader.skip() }
    case UInt8(ascii: "\""): _ = try textBytes()
    case UInt8(ascii: "t"): try word("true")
    case UInt8(ascii: "f"): try word("false")
    case UInt8(ascii: "n"): try word("null")
    default: _ = try number()
    }
  }

  /// Checks that nothing but white space follows.
  package mutating func end() throws(FormatError) {
    guard peek() == nil else { throw broken("something follows the JSON") }
  }
}
