import Foundation

/// The name of a category: a noun phrase such as `cat` or `potted plant`.
///
/// A name is brought into one form (Unicode NFC, lower case, single spaces, no space at either
/// end), so that "Potted  Plant" and "potted plant" are one category. It then has 1 to 64
/// characters: letters and digits of any script, and between them spaces, hyphens, apostrophes,
/// full stops and ampersands; the first is a letter or a digit. A comma separates names on the
/// command line and a slash would reach outside a folder on export, so neither belongs to a name.
public struct CategoryName: Sendable, Hashable, Comparable {
  /// The name in its one form.
  public let text: String

  /// Brings `raw` into its one form.
  ///
  /// - Throws: ``SchemaError/Code/badCategory``.
  public init(_ raw: String) throws(SchemaError) {
    let limit = Limits.standard.maximumCategoryCharacters
    // Longer than any legal name in bytes: refused before the costly steps.
    guard raw.utf8.count <= limit * 16 else {
      throw SchemaError(
        .badCategory,
        "a category name of \(raw.utf8.count) bytes; at most \(limit) characters are allowed")
    }
    let folded = raw.precomposedStringWithCanonicalMapping.lowercased()
    let text = folded.split(separator: " ", omittingEmptySubsequences: true)
      .joined(separator: " ")
    guard let first = text.first else {
      throw SchemaError(.badCategory, "an empty category name; give a noun such as 'cat'")
    }
    guard text.count <= limit else {
      throw SchemaError(
        .badCategory,
        "a category name of \(text.count) characters; at most \(limit) are allowed")
    }
    for character in text where !Self.isAllowed(character) {
      throw SchemaError(
        .badCategory,
        "category name \(Self.quoted(text)) holds \(Self.named(character)); allowed are letters, "
          + "digits, spaces, hyphens, apostrophes, full stops and ampersands")
    }
    guard first.isLetter || first.isNumber else {
      throw SchemaError(
        .badCategory,
        "category name \(Self.quoted(text)) starts with \(Self.named(first)); "
          + "start with a letter or a digit")
    }
    self.text = text
  }

  /// Wraps a name that is already in its one form.
  init(known text: String) { self.text = text }

  private static func isAllowed(_ character: Character) -> Bool {
    // Emoji digits such as "1️⃣" are one character of several scalars, and no name.
    if character.unicodeScalars.contains(where: { $0.properties.isVariationSelector }) {
      return false
    }
    return character.isLetter || character.isNumber || " -'.&".contains(character)
  }

  private static func named(_ character: Character) -> String {
    let codes = character.unicodeScalars.prefix(4)
      .map { "U+" + String($0.value, radix: 16, uppercase: true) }
      .joined(separator: " ")
    let isPlain =
      character.isASCII && !character.isNewline
      && (character.asciiValue.map { $0 >= 0x20 && $0 < 0x7F } ?? false)
    return isPlain ? "'\(character)'" : codes
  }

  private static func quoted(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(80).map { scalar in
      scalar.properties.generalCategory == .control ? "\u{FFFD}" : String(scalar)
    }
    return "'\(shown.joined())'"
  }

  /// Orders names by their Unicode scalars, the same on every machine.
  public static func < (left: CategoryName, right: CategoryName) -> Bool {
    left.text.unicodeScalars.lexicographicallyPrecedes(right.text.unicodeScalars)
  }
}

extension CategoryName: CustomStringConvertible {
  /// The name itself.
  public var description: String { text }
}

extension CategoryName: Codable {
  /// Decodes a JSON string and checks it.
  public init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode(String.self))
  }

  /// Encodes as a JSON string.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}
