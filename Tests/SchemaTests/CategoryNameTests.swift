import Foundation
import Schema
import Testing

/// The naming rules of categories, accepted and refused.
@Suite struct CategoryNameTests {
  static let accepted: [(raw: String, text: String)] = [
    ("cat", "cat"), ("Potted  Plant", "potted plant"), ("  cat ", "cat"), ("ÉLÉPHANT", "éléphant"),
    ("e\u{301}le\u{301}phant", "éléphant"), ("雲", "雲"), ("t-rex", "t-rex"),
    ("cat o' nine tails", "cat o' nine tails"), ("st. bernard", "st. bernard"),
    ("salt & pepper", "salt & pepper"), ("7 up", "7 up"), ("x", "x"),
    (String(repeating: "a", count: 64), String(repeating: "a", count: 64)),
    (String(repeating: "é", count: 64), String(repeating: "é", count: 64)),
  ]

  @Test("names come out in one form", arguments: accepted)
  func accepts(entry: (raw: String, text: String)) throws {
    let name = try CategoryName(entry.raw)
    #expect(Array(name.text.unicodeScalars) == Array(entry.text.unicodeScalars))
    #expect(try CategoryName(name.text) == name)
  }

  static let allowed =
    "allowed are letters, digits, spaces, hyphens, apostrophes, full stops and ampersands"
  static let refused: [(raw: String, message: String)] = [
    ("", "an empty category name; give a noun such as 'cat'"),
    ("   ", "an empty category name; give a noun such as 'cat'"),
    (
      String(repeating: "a", count: 10_240),
      "a category name of 10240 bytes; at most 64 characters are allowed"
    ),
    (
      String(repeating: "a", count: 65),
      "a category name of 65 characters; at most 64 are allowed"
    ),
    ("🦄", "category name '🦄' holds U+1F984; \(allowed)"),
    ("1\u{FE0F}\u{20E3}", "category name '1\u{FE0F}\u{20E3}' holds U+31 U+FE0F U+20E3; \(allowed)"),
    ("cat\u{0}", "category name 'cat\u{FFFD}' holds U+0; \(allowed)"),
    ("cat\ndog", "category name 'cat\u{FFFD}dog' holds U+A; \(allowed)"),
    ("cat\tdog", "category name 'cat\u{FFFD}dog' holds U+9; \(allowed)"),
    ("\u{1B}[31mcat", "category name '\u{FFFD}[31mcat' holds U+1B; \(allowed)"),
    ("cat\u{7F}", "category name 'cat\u{FFFD}' holds U+7F; \(allowed)"),
    ("cat, dog", "category name 'cat, dog' holds ','; \(allowed)"),
    ("../etc", "category name '../etc' holds '/'; \(allowed)"),
    ("cat\u{202E}", "category name 'cat\u{202E}' holds U+202E; \(allowed)"),
    ("cat\u{A0}dog", "category name 'cat\u{A0}dog' holds U+A0; \(allowed)"),
    ("-cat", "category name '-cat' starts with '-'; start with a letter or a digit"),
    (".", "category name '.' starts with '.'; start with a letter or a digit"),
  ]

  @Test("names outside the rules are refused with the reason", arguments: refused)
  func refuses(entry: (raw: String, message: String)) {
    expectRefused(.badCategory, entry.message) { try CategoryName(entry.raw) }
  }

  @Test("a message about a long name stays short and shows no control character")
  func keepsMessagesShort() {
    let error = #expect(throws: SchemaError.self) {
      _ = try CategoryName(String(repeating: "\u{7}", count: 64))
    }
    #expect((error?.message.count ?? 1000) < 250)
    #expect(error?.message.unicodeScalars.allSatisfy { $0.value >= 0x20 } == true)
  }

  @Test("names are JSON strings, and a bad one in a message keeps its code")
  func codes() throws {
    #expect(try JSONText.encode([try CategoryName("Cat")]) == Array(#"["cat"]"#.utf8))
    expectRefused(.badCategory, Self.refused[11].message) {
      try JSONText.decode(Counts.Params.self, from: Array(#"{"categories":["cat, dog"]}"#.utf8))
    }
    expectRefused(.invalidArgument, "categories.[1] is not a string") {
      try JSONText.decode(Counts.Params.self, from: Array(#"{"categories":["cat",3]}"#.utf8))
    }
  }

  @Test("names sort by their scalars")
  func sorts() throws {
    let names = try ["zebra", "éléphant", "ant", "ant hill", "z"].map { try CategoryName($0) }
    #expect(names.sorted().map(\.text) == ["ant", "ant hill", "z", "zebra", "éléphant"])
  }
}
