package import Schema

/// What became of a request for triplets, as text.
package enum BackfillReport {
  /// One line for each category.
  package static func rendered(_ outcomes: [Backfill.Outcome]) -> String {
    let width = outcomes.map { PrintableText.width($0.category.text) }.reduce(0, max)
    return outcomes.map { outcome in
      let name = PrintableText.clean(outcome.category.text)
      let blank = String(repeating: " ", count: width - PrintableText.width(name))
      return "\(name)\(blank)  \(sentence(outcome))\n"
    }.joined()
  }

  /// The jobs that lead to the targets, each once, in order.
  package static func jobs(_ outcomes: [Backfill.Outcome]) -> [Int64] {
    Set(outcomes.flatMap(\.jobs)).sorted()
  }

  private static func sentence(_ outcome: Backfill.Outcome) -> String {
    let stock = "\(outcome.stock) of \(outcome.target)"
    let ids = Interruption.listed(outcome.jobs.map { "\($0)" })
    let jobs = outcome.jobs.count == 1 ? "job \(ids)" : "jobs \(ids)"
    switch outcome.outcome {
    case "created": return "\(stock) in stock, \(jobs) created"
    case "joined": return "\(stock) in stock, joined \(jobs)"
    case "satisfied": return "\(stock) in stock, nothing to do"
    default: return "\(stock) in stock, \(PrintableText.clean(outcome.outcome)) \(jobs)"
    }
  }
}
