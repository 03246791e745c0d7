/// Whether text is coloured, and the colours.
package struct TextStyle: Sendable, Equatable {
  /// A colour of the terminal's own palette.
  package enum Colour: Int, Sendable {
    /// What is missing or wrong.
    case red = 31
    /// What is there.
    case green = 32
    /// What is on its way.
    case yellow = 33
    /// What matters less.
    case gray = 90
  }

  /// Whether colours are written.
  package var isColoured: Bool

  /// Creates a style.
  package init(isColoured: Bool) { self.isColoured = isColoured }

  /// Colours on a terminal that has them, unless `NO_COLOR` (<https://no-color.org>) is set.
  package static func chosen(environment: [String: String], isTerminal: Bool) -> TextStyle {
    let isRefused = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
    return TextStyle(isColoured: isTerminal && !isRefused)
  }

  /// The text in a colour, or as it is.
  package func paint(_ text: String, _ colour: Colour?) -> String {
    guard isColoured, let colour, !text.isEmpty else { return text }
    return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
  }
}

/// A line of text in pieces of one colour each.
package struct StyledText: Sendable, Equatable, ExpressibleByStringLiteral {
  /// One piece.
  package struct Piece: Sendable, Equatable {
    /// Its text.
    package var text: String
    /// Its colour.
    package var colour: TextStyle.Colour?
  }

  /// The pieces, left to right.
  package var pieces: [Piece]

  /// One piece of text.
  package init(_ text: String, _ colour: TextStyle.Colour? = nil) {
    pieces = [Piece(text: text, colour: colour)]
  }

  /// Text without a colour.
  package init(stringLiteral text: String) { self.init(text) }

  /// Adds a piece.
  package mutating func append(_ text: String, _ colour: TextStyle.Colour? = nil) {
    guard !text.isEmpty else { return }
    pieces.append(Piece(text: text, colour: colour))
  }

  /// The text alone.
  package var plain: String { pieces.map(\.text).joined() }

  /// The text with its colours, if the style has any.
  package func rendered(_ style: TextStyle) -> String {
    pieces.map { style.paint($0.text, $0.colour) }.joined()
  }
}
