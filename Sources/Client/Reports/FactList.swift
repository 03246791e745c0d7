/// Names and values, one pair per line, values below each other.
struct FactList {
  private static let gap = 2

  private var facts: [(name: String, value: String)] = []

  /// Adds a line; a value from outside loses its control characters.
  mutating func add(_ name: String, _ value: String) {
    facts.append((name, PrintableText.clean(value)))
  }

  /// Adds a line unless there is no value.
  mutating func add(_ name: String, ifKnown value: String?) {
    if let value { add(name, value) }
  }

  /// The lines.
  var rendered: String {
    let width = facts.map { PrintableText.width($0.name) }.reduce(0, max) + Self.gap
    return facts.map { fact in
      let blank = String(repeating: " ", count: width - PrintableText.width(fact.name))
      return fact.name + blank + fact.value + "\n"
    }.joined()
  }
}
