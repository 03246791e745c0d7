import Foundation
import Testing

@testable import Generator

/// `Tokenizer` against the tokenizer of transformers, and against broken files.
@Suite struct TokenizerTests {
  private struct Row: Decodable {
    let text: String
    let sd1: [Int32]
    let sd2: [Int32]
  }

  @Test("two hundred awkward strings have the published tokens", arguments: ["sd1", "sd2"])
  func awkwardStrings(model: String) throws {
    let tokenizer = try Tokenizer(directory: Fixtures.root + "/models/\(model)/tokenizer")
    let data = try Data(contentsOf: URL(fileURLWithPath: Fixtures.root + "/outputs/tokens.json"))
    let rows = try JSONDecoder().decode([Row].self, from: data)
    #expect(rows.count >= 200)
    var wrong = 0
    for row in rows {
      var tokens = try tokenizer.encode(row.text, length: 77).tokens
      while tokens.count > 1, tokens[tokens.count - 1] == tokens[tokens.count - 2] {
        tokens.removeLast()
      }
      let expected = model == "sd1" ? row.sd1 : row.sd2
      #expect(tokens == expected, "\(row.text.debugDescription)")
      if tokens != expected { wrong += 1 }
    }
    Figures.record("awkward strings of \(model) with other tokens", Double(wrong), 0)
  }
}
