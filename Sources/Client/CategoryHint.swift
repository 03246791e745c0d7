package import Schema

/// Sentences about categories that the store does not know.
package enum CategoryHint {
  /// Says which of `asked` is not among `known`, and what may have been meant; nil if all are.
  package static func unknown(_ asked: [CategoryName], known: [CategoryName]) -> String? {
    let unknown = asked.filter { !known.contains($0) }
    guard let first = unknown.first else { return nil }
    let names = unknown.map { "'\($0)'" }.joined(separator: ", ")
    let subject = unknown.count == 1 ? "category \(names)" : "categories \(names)"
    if unknown.count == 1, let near = nearest(first, known) {
      return "the store has no \(subject); did you mean '\(near)'?"
    }
    return "the store has no \(subject); 'groundwell counts' lists what it has, and "
      + "'groundwell backfill' makes more"
  }

  /// Says which of `asked` looks like a slip for a known category; nil where none does.
  package static func newName(_ asked: CategoryName, known: [CategoryName]) -> String? {
    guard !known.contains(asked), let near = nearest(asked, known) else { return nil }
    return "'\(asked)' is new to this store; did you mean '\(near)'?"
  }

  private static func nearest(_ name: CategoryName, _ known: [CategoryName]) -> String? {
    Suggestion.nearest(to: name.text, among: known.map(\.text))
  }
}
