/// One sRGB colour.
public struct RGBColor: Sendable, Hashable {
  /// Red, 0 to 255.
  public var red: UInt8
  /// Green, 0 to 255.
  public var green: UInt8
  /// Blue, 0 to 255.
  public var blue: UInt8

  /// Creates a colour from its channels.
  public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// Creates a colour from `0xRRGGBB`.
  public init(hex: UInt32) {
    self.init(
      UInt8(hex >> 16 & 0xFF), UInt8(hex >> 8 & 0xFF), UInt8(hex & 0xFF))
  }

  /// The colour that lies `share` of 256 parts of the way towards `other`.
  public func mixed(with other: RGBColor, share: Int) -> RGBColor {
    func mix(_ a: UInt8, _ b: UInt8) -> UInt8 {
      UInt8((Int(a) * (256 - share) + Int(b) * share + 128) >> 8)
    }
    return RGBColor(mix(red, other.red), mix(green, other.green), mix(blue, other.blue))
  }

  /// Paper.
  public static let white = RGBColor(hex: 0xFFFFFF)
  /// Ink of titles.
  public static let ink = RGBColor(hex: 0x1F2933)
  /// Ink of what is less important.
  public static let faded = RGBColor(hex: 0x6B7785)
  /// Lines that separate.
  public static let rule = RGBColor(hex: 0xD9DEE4)
  /// The ground that pictures lie on.
  public static let paper = RGBColor(hex: 0xF5F7F9)
}

/// Colours that people can tell apart, for categories.
public enum Palette {
  /// The first colours, strong enough to tint a photograph.
  private static let first: [RGBColor] = [
    0xE6194B, 0x0082C8, 0x3CB44B, 0xF58231, 0x911EB4, 0x00B5C4, 0xF032E6, 0x9A6324,
    0xD2B500, 0x4B5FE0, 0x808000, 0xFF7FA8, 0x008080, 0x800000, 0x6FA8FF, 0x7A7A00,
  ].map(RGBColor.init(hex:))

  /// Colour number `index`; no two of the first 16 are alike.
  ///
  /// - Precondition: `index` is not negative.
  public static func color(_ index: Int) -> RGBColor {
    precondition(index >= 0, "colour \(index)")
    if index < first.count { return first[index] }
    // Steps of the golden angle in whole degrees never come close to where they were.
    let hue = (index * 137) % 360
    let value = 225 - 50 * (index % 3)
    return color(hue: hue, low: value / 4, high: value)
  }

  /// One colour for each of `names`: each name once, in alphabetical order, so that the same set
  /// of names always gets the same colours.
  public static func colors(for names: some Sequence<String>) -> [String: RGBColor] {
    let ordered = Set(names).sorted()
    return Dictionary(
      uniqueKeysWithValues: ordered.enumerated().map { ($1, color($0)) })
  }

  private static func color(hue: Int, low: Int, high: Int) -> RGBColor {
    func channel(_ shift: Int) -> UInt8 {
      let position = (hue + shift) % 360
      let distance = min(position, 360 - position)
      let share = max(0, min(60, 120 - distance))
      return UInt8(low + (high - low) * share / 60)
    }
    return RGBColor(channel(0), channel(240), channel(120))
  }
}
