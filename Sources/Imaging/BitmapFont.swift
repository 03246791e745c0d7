/// A small proportional font for ASCII, drawn for this project: capitals are 7 rows high, 2 more
/// rows hang below the line.
///
/// Each glyph is 9 rows of 5 pixels, one base-32 digit (`0`…`9`, `a`…`v`) per row with the
/// leftmost pixel as its highest bit.
enum BitmapFont {
  /// Rows of a line of text, with those below the base line.
  static let lineHeight = 9
  /// Rows of a capital letter.
  static let capitalHeight = 7
  private static let cellWidth = 5

  /// One character: its rows, leftmost pixel at bit `width - 1`.
  struct Glyph: Sendable {
    let rows: [UInt8]
    let width: Int
  }

  /// The glyph of `character`; a box for what the font does not have.
  static func glyph(_ character: Character) -> Glyph {
    guard let code = character.asciiValue, code >= 32, code < 127 else { return box }
    return glyphs[Int(code) - 32]
  }

  private static let box = parse("vhhhhhv00", isFixed: true)

  private static let glyphs: [Glyph] = encoded.split(separator: " ").enumerated().map {
    // Digits keep one width, so that columns of numbers line up.
    parse($1, isFixed: (16...25).contains($0))
  }

  private static func parse(_ text: Substring, isFixed: Bool) -> Glyph {
    let rows = text.compactMap { $0.base32Digit }
    let used = rows.reduce(0, |)
    if isFixed { return Glyph(rows: rows, width: cellWidth) }
    if used == 0 { return Glyph(rows: rows, width: 2) }
    let right = used.trailingZeroBitCount
    let left = 8 - used.leadingZeroBitCount
    return Glyph(rows: rows.map { $0 >> right }, width: left - right)
  }

  private static let encoded: String =
    """
    000000000 444440400 aaa000000 aavavaa00 4fke5u400 op248j300 8kk8lid00 448000000 248884200 \
    842224800 04lel4000 044v44000 00000c480 000e00000 00000cc00 01248g000 ehjlphe00 4c4444e00 \
    eh1248v00 v2421he00 26aiv2200 vgu11he00 68guhhe00 v12488800 ehhehhe00 ehhf12c00 0cc0cc000 \
    0cc0c4800 248g84200 00v0v0000 842124800 eh1240400 eh1dlle00 ehhvhhh00 uhhuhhu00 ehggghe00 \
    sihhhis00 vgguggv00 vgguggg00 ehgnhhf00 hhhvhhh00 e44444e00 72222ic00 hikokih00 ggggggv00 \
    hrllhhh00 hhpljhh00 ehhhhhe00 uhhuggg00 ehhhlid00 uhhukih00 fgge11u00 v44444400 hhhhhhe00 \
    hhhhha400 hhhllla00 hha4ahh00 hhha44400 v1248gv00 e88888e00 0g8421000 e22222e00 4ah000000 \
    0000000v0 842000000 00e1fhf00 ggmphhu00 00egghe00 11djhhf00 00ehvge00 698s88800 00fhhhf1e \
    ggmphhh00 40c444e00 2062222ic ggikoki00 c44444e00 00qllll00 00mphhh00 00ehhhe00 00uhhhugg \
    00fhhhf11 00mpggg00 00fge1u00 88s889600 00hhhjd00 00hhha400 00hhlla00 00ha4ah00 00hhhhf1e \
    00v248v00 244844200 444444400 844244800 008l20000
    """
}

extension Character {
  /// The value of a base-32 digit.
  fileprivate var base32Digit: UInt8? {
    guard let code = asciiValue else { return nil }
    switch code {
    case 0x30...0x39: return code - 0x30
    case 0x61...0x76: return code - 0x61 + 10
    default: return nil
    }
  }
}
