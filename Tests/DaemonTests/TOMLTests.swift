import Testing

@testable import Daemon

/// Reading the configuration file's bytes.
@Suite struct TOMLTests {
  private func read(_ text: String) throws(TOMLError) -> TOMLDocument {
    try TOMLDocument(Array(text.utf8))
  }

  @Test("tables, dotted and quoted keys, comments and every kind of value, with their lines")
  func reads() throws {
    let document = try read(
      """
      # a file
      top = 1   # behind a value
      [workers]
      count = 0x1F
      "quoted name".part = -1_000
      [ log . sub ]
      level = "a\\tb\\u00e9 # no comment"
      path = 'C:\\no\\escapes'
      flag = true
      part = 1.5e3
      list = [1, 2, # inside
        "three", [ ] ,]
      """)
    #expect(
      document.entries.map { $0.path.joined(separator: "/") } == [
        "top", "workers/count", "workers/quoted name/part", "log/sub/level", "log/sub/path",
        "log/sub/flag", "log/sub/part", "log/sub/list",
      ])
    #expect(
      document.entries.map(\.value) == [
        .integer(1), .integer(31), .integer(-1000), .text("a\tbé # no comment"),
        .text("C:\\no\\escapes"), .boolean(true), .decimal(1500),
        .list([.integer(1), .integer(2), .text("three"), .list([])]),
      ])
    #expect(document.entries.map(\.line) == [2, 4, 5, 7, 8, 9, 10, 11])
    #expect(document.tables.map(\.line) == [3, 6])
  }

  @Test("a mark of UTF-8 and line ends of another system are no part of it")
  func readsForeignLines() throws {
    let document = try TOMLDocument([0xEF, 0xBB, 0xBF] + Array("[a]\r\nb = 1\r\n".utf8))
    #expect(document.entries == [.init(path: ["a", "b"], value: .integer(1), line: 2)])
  }

  @Test(
    "what is no TOML, or no part of it that a setting needs, is refused with its line",
    arguments: [
      ("a", 1, "the end of the line behind a key; expected '=' and a value"),
      ("\na = ", 2, "the end of the line where a value is expected"),
      ("a = 1 2", 1, "'2' behind the value; expected the line's end"),
      ("a = two", 1, "'two' is no value; text stands between quotes"),
      ("a = 012", 1, "'012' is no value; text stands between quotes"),
      ("a = 1__0", 1, "'1__0' is no value; text stands between quotes"),
      ("a = 99999999999999999999", 1, nil),
      ("a = \"x", 1, "a string without its closing quote"),
      ("a = \"\"\"x\"\"\"", 1, "a string over several lines; no setting takes one"),
      ("a = \"\\x\"", 1, "an unknown escape behind '\\' in a string; write '\\\\' for a backslash"),
      ("a = \"\\uD800\"", 1, "'D800' names no character; expected 4 hexadecimal digits"),
      ("a = 2026-01-01", 1, "'2026-01-01' is a date or a time; no setting takes one"),
      ("a = {b = 1}", 1, "an inline table; write [table] and 'key = value' on lines of their own"),
      ("[[a]]", 1, "a list of tables; no setting takes one"),
      ("[a", 1, "the end of the line in the name of a table; expected ']'"),
      ("a = [1", 1, "a list without its ']'"),
      ("a = [1 2]", 1, "'2' in a list; expected ',' or ']'"),
      ("a = [[[[[[[[[1]]]]]]]]]", 1, "lists nested deeper than 8"),
      ("= 1", 1, "'=' where a key is expected"),
      ("a = 1\n\na = 2", 3, "'a' is there twice, first on line 1"),
      ("[a]\n[b]\n[a]", 3, "[a] is there twice, first on line 1"),
      ("a = 1\n[a]\nb = 2", 2, "[a] would be a table, but line 1 gives 'a' a value"),
      ("a.b = 1\na = 2", 2, "'a' is a value and a table at once, see line 1"),
      ("a = \"\u{1}\"", 1, "the control character 1"),
      ("a.b.c.d.e.f.g.h.i = 1", 1, "a key of more than 8 names"),
    ] as [(String, Int, String?)])
  func refuses(text: String, line: Int, message: String?) {
    let error = #expect(throws: TOMLError.self) { try read(text) }
    #expect(error?.line == line)
    if let message { #expect(error?.message == message) }
  }

  @Test(
    "bytes that are no UTF-8 are refused, and none of 20,000 damaged files is more than refused")
  func survivesDamage() throws {
    #expect(throws: TOMLError(1, "no UTF-8")) { try TOMLDocument([0x61, 0x3D, 0x22, 0xFF, 0x22]) }
    let whole = Array(
      "[workers]\ncount = 2 # two\nname = \"x\\u00e9\" \n list = [1, [2, 3.5]]\n".utf8)
    var random = SystemRandomNumberGenerator()
    var refused = 0
    for _ in 0..<20_000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: place)
        default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &random)], at: place)
        }
      }
      do throws(TOMLError) {
        _ = try TOMLDocument(bytes)
      } catch {
        refused += 1
        #expect((1...8).contains(error.line))
      }
    }
    #expect(refused > 1000)
  }
}
