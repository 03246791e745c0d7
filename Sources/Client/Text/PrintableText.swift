/// Text as a terminal may be given it.
package enum PrintableText {
  /// Replaces control characters, so that no prompt or file name can steer the terminal.
  package static func clean(_ text: String) -> String {
    var cleaned = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator, .surrogate:
        cleaned.append("\u{FFFD}")
      case .format where scalar != "\u{200D}" && scalar != "\u{200C}":
        cleaned.append("\u{FFFD}")
      default: cleaned.append(scalar)
      }
    }
    return String(cleaned)
  }

  /// The columns that text takes on a terminal.
  ///
  /// East Asian wide characters and emoji take two (Unicode Standard Annex 11), combining marks
  /// none.
  package static func width(_ text: String) -> Int {
    text.reduce(0) { sum, character in sum + width(character) }
  }

  private static func width(_ character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    let properties = first.properties
    if properties.isEmojiPresentation
      || character.unicodeScalars.contains(where: { $0 == "\u{FE0F}" })
    {
      return 2
    }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .control, .format: return 0
    default: break
    }
    return wideRanges.contains(where: { $0.contains(first.value) }) ? 2 : 1
  }

  private static let wideRanges: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF,
    0xA000...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
    0xFFE0...0xFFE6, 0x20000...0x3FFFD,
  ]

  /// Text of at most `columns` columns, ending in `…` where something was left out.
  package static func cut(_ text: String, columns: Int) -> String {
    guard width(text) > columns else { return text }
    var kept = ""
    var used = 0
    for character in text {
      let next = width(character)
      guard used + next < columns else { break }
      kept.append(character)
      used += next
    }
    return columns > 0 ? kept + "…" : ""
  }
}
