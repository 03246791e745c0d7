extension Canvas {
  /// Where text lies relative to the place it is given.
  public enum Alignment: Sendable {
    /// The place is its left end.
    case left
    /// The place is its middle.
    case center
    /// The place is its right end.
    case right
  }

  /// Rows between the tops of two lines of text.
  public static func lineStep(scale: Int = 1) -> Int { (BitmapFont.lineHeight + 2) * scale }

  /// Rows of a capital letter.
  public static func capitalHeight(scale: Int = 1) -> Int { BitmapFont.capitalHeight * scale }

  /// Columns that a line of text takes.
  public static func textWidth(_ text: String, scale: Int = 1) -> Int {
    max(0, text.reduce(0) { $0 + (BitmapFont.glyph($1).width + 1) * scale } - scale)
  }

  /// Draws a line of text whose capitals have their top at `y`; what is not ASCII shows as a box.
  public mutating func text(
    _ text: String, x: Int, y: Int, _ color: RGBColor = .ink, scale: Int = 1,
    align: Alignment = .left
  ) {
    let lineWidth = Self.textWidth(text, scale: scale)
    var left =
      switch align {
      case .left: x
      case .center: x - lineWidth / 2
      case .right: x - lineWidth
      }
    for character in text {
      let glyph = BitmapFont.glyph(character)
      for (row, bits) in glyph.rows.enumerated() {
        for column in 0..<glyph.width where bits >> (glyph.width - 1 - column) & 1 == 1 {
          fill(x: left + column * scale, y: y + row * scale, width: scale, height: scale, color)
        }
      }
      left += (glyph.width + 1) * scale
    }
  }

  /// Breaks text into lines that fit, at most `maximumLines`; what is left out becomes `...`.
  public static func wrapped(
    _ text: String, width: Int, scale: Int = 1, maximumLines: Int = 3
  ) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      let longer = line.isEmpty ? String(word) : line + " " + word
      if line.isEmpty || textWidth(longer, scale: scale) <= width {
        line = longer
      } else {
        lines.append(line)
        line = String(word)
      }
    }
    if !line.isEmpty { lines.append(line) }
    guard lines.count > maximumLines else {
      return lines.map { shortened($0, width: width, scale: scale) }
    }
    let rest = lines[(maximumLines - 1)...].joined(separator: " ")
    return lines[..<(maximumLines - 1)].map { shortened($0, width: width, scale: scale) }
      + [shortened(rest, width: width, scale: scale)]
  }

  /// The text, or as much of its beginning as fits with `...` behind it.
  public static func shortened(_ text: String, width: Int, scale: Int = 1) -> String {
    if textWidth(text, scale: scale) <= width { return text }
    var kept = text
    while !kept.isEmpty, textWidth(kept + "...", scale: scale) > width { kept.removeLast() }
    while kept.last == " " { kept.removeLast() }
    return kept + "..."
  }
}
