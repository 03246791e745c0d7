import Client
import Foundation
import Schema
import Testing

/// The pieces that tables and progress lines are made of.
@Suite struct TextTests {
  @Test("a bar is exact to an eighth of a column, and a small value still shows")
  func barEighths() {
    func solid(_ value: Int, of scale: Int) -> String {
      Bar.stacked(value: value, colour: nil, rest: [], scale: scale, width: 10).plain
    }
    #expect(solid(0, of: 80) == "")
    #expect(solid(1, of: 80) == "▏")
    #expect(solid(1, of: 1_000_000) == "▏")
    #expect(solid(7, of: 80) == "▉")
    #expect(solid(8, of: 80) == "█")
    #expect(solid(44, of: 80) == "█████▌")
    #expect(solid(80, of: 80) == "██████████")
    #expect(solid(500, of: 80) == "██████████")
  }

  @Test("runs behind the solid part fill the bar up to their sum")
  func stackedBar() {
    let bar = Bar.stacked(
      value: 40, colour: .green, rest: [(20, "▒", .yellow), (40, "░", .red)], scale: 100,
      width: 10)
    #expect(bar.plain == "████▒▒░░░░")
    #expect(bar.pieces.map(\.colour) == [.green, .yellow, .red])
  }

  @Test("a table pads by what the terminal shows, not by characters")
  func tableWidths() {
    var table = Table([("NAME", .left), ("N", .right), ("END", .left)])
    table.add(["猫", "7", "a"])
    table.add(["e\u{301}clair", "1234", "b"])
    #expect(
      table.rendered(columns: nil, style: TextStyle(isColoured: false)) == """
        NAME       N  END
        猫         7  a
        e\u{301}clair  1234  b

        """)
  }

  @Test("only the last column is cut, and says so with an ellipsis")
  func tableCut() {
    var table = Table([("ID", .right), ("PROMPT", .left)])
    table.add(["1", "a photograph of a cat on the grass"])
    let text = table.rendered(columns: 20, style: TextStyle(isColoured: false))
    #expect(text == "ID  PROMPT\n 1  a photograph of…\n")
  }

  @Test("control characters and direction marks cannot reach the terminal")
  func printable() {
    #expect(PrintableText.clean("a\u{1B}[31mb\nc\u{202E}d") == "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}d")
    #expect(PrintableText.clean("chat d'été 猫 👩‍🌾") == "chat d'été 猫 👩‍🌾")
  }

  @Test("text is cut to columns, wide characters whole")
  func cutting() {
    #expect(PrintableText.cut("猫猫猫", columns: 6) == "猫猫猫")
    #expect(PrintableText.cut("猫猫猫", columns: 5) == "猫猫…")
    #expect(PrintableText.cut("猫猫猫", columns: 4) == "猫…")
    #expect(PrintableText.cut("abc", columns: 0) == "")
  }

  @Test(
    "NO_COLOR, a dumb terminal and a pipe each take the colours away",
    arguments: [
      ([:], true, true), (["NO_COLOR": "1"], true, false), (["NO_COLOR": ""], true, true),
      (["TERM": "dumb"], true, false), ([:], false, false),
    ] as [([String: String], Bool, Bool)])
  func colours(environment: [String: String], isTerminal: Bool, isColoured: Bool) {
    let style = TextStyle.chosen(environment: environment, isTerminal: isTerminal)
    #expect(style.isColoured == isColoured)
    let expected = isColoured ? "\u{1B}[31mx\u{1B}[0m" : "x"
    #expect(style.paint("x", .red) == expected)
  }

  @Test(
    "spans of time are read with their unit and nothing else",
    arguments: [
      ("90s", 90), ("15m", 900), ("2h", 7200), ("1.5h", 5400), ("7d", 604_800),
      ("3w", 1_814_400), ("0s", 0), ("2", nil), ("h", nil), ("", nil), ("-2h", nil),
      ("2 h", nil), ("infs", nil), ("1e9d", nil), ("99999999999w", nil),
    ] as [(String, Double?)])
  func spans(text: String, seconds: Double?) {
    #expect(ReadableDuration.seconds(text) == seconds)
  }

  @Test(
    "spans of time are told in their two largest units",
    arguments: [
      (0, "0 s"), (0.2, "1 s"), (59, "59 s"), (60, "1 min"), (200, "3 min 20 s"),
      (7500, "2 h 5 min"), (273_600, "3 d 4 h"), (.infinity, "ages"), (-5, "0 s"),
    ] as [(Double, String)])
  func spanTexts(seconds: Double, text: String) {
    #expect(ReadableDuration.text(seconds: seconds) == text)
  }

  @Test("a slip of the fingers finds its word, another word finds none")
  func suggestions() {
    let known = ["cat", "cow", "potted plant", "unicorn"]
    #expect(Suggestion.nearest(to: "cta", among: known) == "cat")
    #expect(Suggestion.nearest(to: "pottedplant", among: known) == "potted plant")
    #expect(Suggestion.nearest(to: "unciorns", among: known) == "unicorn")
    #expect(Suggestion.nearest(to: "cat", among: known) == nil)
    #expect(Suggestion.nearest(to: "zebra", among: known) == nil)
    #expect(Suggestion.nearest(to: "", among: known) == nil)
    #expect(Suggestion.nearest(to: "x", among: []) == nil)
  }
}
