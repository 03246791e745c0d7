/// A sentence with a place for a category's name, such as `a photograph of a {}`.
package struct PromptTemplate: Sendable, Equatable {
  /// What stands where the name goes.
  package static let placeholder = "{}"
  /// The sentence of the paper.
  package static let standard = PromptTemplate(before: "a photograph of a ", after: "")

  /// The text in front of the name.
  package let before: String
  /// The text behind it.
  package let after: String

  private init(before: String, after: String) {
    self.before = before
    self.after = after
  }

  /// Reads a template.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` unless it holds `{}` exactly once.
  package init(_ text: String) throws(GeneratorError) {
    var parts: [Substring] = []
    var rest = text[...]
    while let place = rest.firstRange(of: Self.placeholder) {
      parts.append(rest[..<place.lowerBound])
      rest = rest[place.upperBound...]
    }
    guard parts.count == 1 else {
      throw GeneratorError(
        .invalidArgument,
        "the template '\(text.prefix(80))' holds {} \(parts.count) times; once is needed")
    }
    (before, after) = (String(parts[0]), String(rest))
  }

  /// The template itself.
  package var text: String { before + Self.placeholder + after }

  /// The sentence for a name.
  package func prompt(_ name: String) -> String { before + name + after }
}
