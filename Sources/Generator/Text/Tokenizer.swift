import Foundation

/// CLIP's byte-pair tokenizer.
///
/// Text is brought into NFC, its white space collapsed, lower-cased, split into words as CLIP's
/// regular expression does, and each word's bytes merged by rank (Radford et al., "Learning
/// Transferable Visual Models From Natural Language Supervision", 2021; Sennrich et al., 2016).
package struct Tokenizer: Sendable {
  /// A prompt is at most this many bytes.
  package static let maximumPromptBytes = 8192
  /// A vocabulary file is at most this many bytes.
  package static let maximumFileBytes = 64 << 20

  /// A prompt as the text encoder takes it.
  package struct Encoding: Sendable, Equatable {
    /// Exactly `length` token numbers: begin, the text, end, padding.
    package let tokens: [Int32]
    /// How many tokens of text there were before truncation.
    package let textTokenCount: Int
    /// Whether text was cut off.
    package var isTruncated: Bool { textTokenCount > tokens.count - 2 }
  }

  /// One more than the largest token number.
  package let vocabularySize: Int
  private let numbers: [String: Int32]
  private let ranks: [Pair: Int]
  private let begin: Int32
  private let end: Int32
  private let padding: Int32
  private let unknown: Int32
  // Cut out of a prompt before anything else; a padding token is special as well, so that SD 2,
  // which pads with '!', reads that mark as padding.
  private let specialTokens: [String]

  private struct Pair: Hashable {
    let left: String
    let right: String
  }

  /// Creates a tokenizer from its tables.
  ///
  /// - Parameters:
  ///   - vocabulary: token numbers by token.
  ///   - merges: pairs in order of rank.
  ///   - padToken: fills up after the end; the end token itself where nil.
  /// - Throws: ``GeneratorError/Code/badConfiguration`` when a special token is missing or a number
  ///   is negative.
  package init(
    vocabulary: [String: Int32], merges: [(String, String)], padToken: String?, name: String
  ) throws(GeneratorError) {
    func number(_ token: String) throws(GeneratorError) -> Int32 {
      guard let number = vocabulary[token] else {
        throw GeneratorError(.badConfiguration, "\(name): the vocabulary lacks '\(token)'")
      }
      return number
    }
    if let bad = vocabulary.first(where: { $0.value < 0 || $0.value > 1 << 24 }) {
      throw GeneratorError(
        .badConfiguration, "\(name): token '\(bad.key)' has the number \(bad.value)")
    }
    begin = try number(Self.beginToken)
    end = try number(Self.endToken)
    padding = try number(padToken ?? Self.endToken)
    unknown = end
    specialTokens = [Self.beginToken, Self.endToken] + (padToken.map { [$0] } ?? [])
    numbers = vocabulary
    vocabularySize = Int(vocabulary.values.max() ?? 0) + 1
    var ranks: [Pair: Int] = [:]
    for (rank, merge) in merges.enumerated() {
      let pair = Pair(left: merge.0, right: merge.1)
      if ranks[pair] == nil { ranks[pair] = rank }
    }
    self.ranks = ranks
  }

  static let beginToken = "<|startoftext|>"
  static let endToken = "<|endoftext|>"

  /// The tokens of `prompt`, cut and padded to `length`.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` when the prompt is over
  ///   ``maximumPromptBytes``.
  package func encode(_ prompt: String, length: Int) throws(GeneratorError) -> Encoding {
    let text = try pieces(prompt).flatMap(\.tokens)
    let kept = text.prefix(length - 2)
    let padded = [begin] + kept + [end]
    return Encoding(
      tokens: padded + [Int32](repeating: padding, count: length - padded.count),
      textTokenCount: text.count)
  }

  /// For each occurrence of `phrase` in `prompt`, the places of its tokens in ``Encoding/tokens``.
  ///
  /// Occurrences that the cut to `length` touches are left out.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` when a text is too long.
  package func positions(
    of phrase: String, in prompt: String, length: Int
  ) throws(GeneratorError) -> [[Int]] {
    let wanted = try pieces(phrase).map(\.text)
    let pieces = try pieces(prompt)
    guard !wanted.isEmpty, wanted.count <= pieces.count else { return [] }
    var starts = [1]
    for piece in pieces { starts.append(starts[starts.count - 1] + piece.tokens.count) }
    var found: [[Int]] = []
    for first in 0...(pieces.count - wanted.count)
    where zip(pieces[first...], wanted).allSatisfy({ $0.text == $1 }) {
      let range = starts[first]..<starts[first + wanted.count]
      if range.upperBound <= length - 1 { found.append(Array(range)) }
    }
    return found
  }

  private func pieces(
    _ prompt: String
  ) throws(GeneratorError) -> [(text: String, tokens: [Int32])] {
    guard prompt.utf8.count <= Self.maximumPromptBytes else {
      throw GeneratorError(
        .invalidArgument,
        "a prompt of \(prompt.utf8.count) bytes; at most \(Self.maximumPromptBytes) are allowed")
    }
    var result: [(text: String, tokens: [Int32])] = []
    for part in split(prompt, at: specialTokens) {
      if specialTokens.contains(part) {
        result.append((part, [numbers[part] ?? unknown]))
        continue
      }
      for word in splitWords(part) { result.append((word, tokens(word))) }
    }
    return result
  }

  /// Merges the bytes of one word, the pair of lowest rank first.
  private func tokens(_ word: String) -> [Int32] {
    var symbols = word.utf8.map { byteSymbols[Int($0)] }
    guard let last = symbols.popLast() else { return [] }
    symbols.append(last + "</w>")
    while symbols.count > 1 {
      var best: (rank: Int, pair: Pair)?
      for index in 1..<symbols.count {
        let pair = Pair(left: symbols[index - 1], right: symbols[index])
        if let rank = ranks[pair], rank < best?.rank ?? Int.max { best = (rank, pair) }
      }
      guard let pair = best?.pair else { break }
      var merged: [String] = []
      var index = 0
      while index < symbols.count {
        if index + 1 < symbols.count, symbols[index] == pair.left,
          symbols[index + 1] == pair.right
        {
          merged.append(pair.left + pair.right)
          index += 2
        } else {
          merged.append(symbols[index])
          index += 1
        }
      }
      symbols = merged
    }
    return symbols.map { numbers[$0] ?? unknown }
  }
}

/// The printable character that stands for each byte in vocabularies (GPT-2's table): printable
/// Latin-1 stands for itself, the rest follows from U+0100.
private let byteSymbols: [String] = {
  let printable = Array(33...126) + Array(161...172) + Array(174...255)
  var next = 256
  return (0..<256).map { byte in
    if printable.contains(byte) { return String(UnicodeScalar(UInt8(byte))) }
    defer { next += 1 }
    return UnicodeScalar(UInt32(next)).map { String($0) } ?? ""
  }
}()

/// Cuts special tokens out of a prompt, keeping them as parts of their own.
private func split(_ prompt: String, at specialTokens: [String]) -> [String] {
  var parts: [String] = []
  var rest = Array(prompt.unicodeScalars)[...]
  var text = String.UnicodeScalarView()
  let tokens = specialTokens.filter { !$0.isEmpty }
  while let scalar = rest.first {
    if let token = tokens.first(where: { rest.starts(with: $0.unicodeScalars) }) {
      parts += [String(text), token]
      text = String.UnicodeScalarView()
      rest = rest.dropFirst(token.unicodeScalars.count)
    } else {
      text.append(scalar)
      rest = rest.dropFirst()
    }
  }
  return parts + [String(text)]
}

/// Splits normalised text as CLIP's expression does:
/// `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`.
private func splitWords(_ text: String) -> [String] {
  let scalars = text.precomposedStringWithCanonicalMapping.unicodeScalars
    .flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) }
  var words: [String] = []
  var index = 0
  while index < scalars.count {
    let start = index
    switch ScalarKind(scalars[index]) {
    case .space:
      index += 1
      continue
    case .number:
      index += 1
    case .letter:
      while index < scalars.count, ScalarKind(scalars[index]) == .letter { index += 1 }
    case .other:
      if let length = contraction(scalars[index...]) {
        index += length
      } else {
        while index < scalars.count, ScalarKind(scalars[index]) == .other { index += 1 }
      }
    }
    var word = String.UnicodeScalarView()
    word.append(contentsOf: scalars[start..<index])
    words.append(String(word))
  }
  return words
}

private enum ScalarKind {
  case space, letter, number, other

  init(_ scalar: UnicodeScalar) {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = scalar.properties.isWhitespace ? .space : .other
    }
  }
}

/// How many scalars an English contraction at the start takes, if there is one.
private func contraction(_ scalars: ArraySlice<UnicodeScalar>) -> Int? {
  for ending in ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"] {
    if scalars.starts(with: ending.unicodeScalars) { return ending.unicodeScalars.count }
  }
  return nil
}
