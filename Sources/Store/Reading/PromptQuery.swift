import Schema

/// What a user looks for in prompts, as an FTS5 expression that is well-formed whatever was typed.
///
/// Every word and phrase goes into the expression as a quoted string of letters and digits, so
/// nothing of the text is ever read as an operator, a column or a quote
/// (<https://sqlite.org/fts5.html#fts5_strings>).
struct PromptQuery {
  /// The expression.
  let expression: String

  /// Reads a text; ``Schema/TripletSearch`` says what it means.
  ///
  /// - Throws: ``StoreError/Code/invalidArgument`` when it is too long or names nothing to find.
  init(_ text: String) throws(StoreError) {
    guard text.utf8.count <= TripletSearch.maximumTextBytes else {
      throw StoreError(
        .invalidArgument,
        "text has \(text.utf8.count) bytes; at most \(TripletSearch.maximumTextBytes)")
    }
    let terms = Self.terms(text)
    guard terms.count <= TripletSearch.maximumTerms else {
      throw StoreError(
        .invalidArgument, "text has \(terms.count) words; at most \(TripletSearch.maximumTerms)")
    }
    let wanted = terms.filter { !$0.isExcluded }.map(\.expression)
    let excluded = terms.filter(\.isExcluded).map(\.expression)
    guard !wanted.isEmpty else {
      throw StoreError(
        .invalidArgument, "text has no word to look for; give at least one with a letter or digit")
    }
    let all = wanted.joined(separator: " AND ")
    expression =
      excluded.isEmpty ? all : "(\(all)) NOT (\(excluded.joined(separator: " OR ")))"
  }

  /// One word or phrase.
  private struct Term {
    var words: [String]
    var isExcluded = false
    var isPrefix = false

    var expression: String {
      "\"\(words.joined(separator: " "))\"" + (isPrefix ? " *" : "")
    }
  }

  private static func terms(_ text: String) -> [Term] {
    var terms: [Term] = []
    var rest = text[...]
    while let start = rest.firstIndex(where: { !$0.isWhitespace }) {
      rest = rest[start...]
      let isExcluded = rest.first == "-"
      if isExcluded { rest = rest.dropFirst() }
      let isPhrase = rest.first == "\""
      if isPhrase { rest = rest.dropFirst() }
      let end =
        rest.firstIndex { $0 == "\"" || (!isPhrase && $0.isWhitespace) } ?? rest.endIndex
      let piece = rest[..<end]
      rest = isPhrase ? rest[end...].dropFirst() : rest[end...]
      terms += Self.terms(piece, isPhrase: isPhrase, isExcluded: isExcluded)
    }
    return terms
  }

  private static func terms(
    _ piece: Substring, isPhrase: Bool, isExcluded: Bool
  ) -> [Term] {
    let words = words(piece)
    guard let last = words.last else { return [] }
    let isPrefix = !isPhrase && piece.last == "*"
    if isPhrase || isExcluded {
      return [Term(words: words, isExcluded: isExcluded, isPrefix: isPrefix)]
    }
    // "black-and-white" is three words, anywhere.
    return words.dropLast().map { Term(words: [$0]) } + [Term(words: [last], isPrefix: isPrefix)]
  }

  /// Runs of what the tokenizer takes for letters and digits, with the marks on them.
  private static func words(_ piece: Substring) -> [String] {
    piece.unicodeScalars.split { !isLetterOrDigit($0) && !isMark($0) }
      .filter { word in word.contains(where: isLetterOrDigit) }.map { String($0) }
  }

  private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
      .decimalNumber, .letterNumber, .otherNumber, .privateUse:
      true
    default: false
    }
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    [.nonspacingMark, .spacingMark].contains(scalar.properties.generalCategory)
  }
}
