/// One line that says how far some work is.
package struct ProgressBar: Sendable, Equatable {
  /// Items that are finished well.
  package var done: Int
  /// Items that will not be finished.
  package var failed: Int
  /// Items in all.
  package var total: Int
  /// Items per second; nil as long as it is unknown.
  package var perSecond: Double?

  /// Creates a bar.
  package init(done: Int, failed: Int, total: Int, perSecond: Double?) {
    self.done = done
    self.failed = failed
    self.total = total
    self.perSecond = perSecond
  }

  private static let widestBar = 40
  private static let narrowestBar = 8

  /// The line for a terminal: a bar if there is room for one, then the figures.
  package func rendered(columns: Int) -> String {
    let figures = "\(done)/\(total)  \(percent)" + (tail.map { "  \($0)" } ?? "")
    let room = min(Self.widestBar, columns - 1 - PrintableText.width(figures) - 4)
    guard room >= Self.narrowestBar else {
      return PrintableText.cut(figures, columns: max(1, columns - 1))
    }
    let filled = Bar.stacked(value: done, colour: nil, rest: [], scale: total, width: room).plain
    let blank = String(repeating: " ", count: room - PrintableText.width(filled))
    return "▕\(filled)\(blank)▏ \(figures)"
  }

  /// The line for a log.
  package var sentence: String {
    "\(done) of \(total) done (\(percent))" + (tail.map { ", \($0)" } ?? "")
  }

  private var percent: String {
    guard total > 0 else { return "100%" }
    return "\(done * 100 / total)%"
  }

  private var tail: String? {
    var parts: [String] = []
    if failed > 0 { parts.append("\(failed) failed") }
    if let perSecond, perSecond > 0 {
      parts.append(Self.rate(perSecond))
      let left = total - done - failed
      if left > 0 {
        parts.append("\(ReadableDuration.text(seconds: Double(left) / perSecond)) left")
      }
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  private static func rate(_ perSecond: Double) -> String {
    if perSecond >= 10 { return "\(Int(perSecond.rounded()))/s" }
    if perSecond >= 0.1 { return "\((perSecond * 10).rounded() / 10)/s" }
    return "\((perSecond * 600).rounded() / 10)/min"
  }
}
