/// Rows under titles, padded to columns.
package struct Table: Sendable {
  /// Which side of a column its text keeps to.
  package enum Alignment: Sendable {
    /// Words.
    case left
    /// Numbers.
    case right
  }

  /// Blank columns between two columns of text.
  private static let gap = 2

  private let titles: [(title: String, alignment: Alignment)]
  private var rows: [[StyledText]] = []

  /// A table without rows.
  package init(_ titles: [(title: String, alignment: Alignment)]) { self.titles = titles }

  /// Adds a row.
  ///
  /// - Precondition: one cell for each title.
  package mutating func add(_ cells: [StyledText]) {
    precondition(cells.count == titles.count, "\(cells.count) cells for \(titles.count) columns")
    rows.append(cells)
  }

  /// The columns that everything but the last column takes, with the gap behind it.
  package var widthBeforeLast: Int {
    widths.dropLast().reduce(0) { $0 + $1 + Self.gap }
  }

  /// The lines; the last column is cut to the terminal's width if there is one.
  package func rendered(columns: Int?, style: TextStyle) -> String {
    let widths = widths
    var lines = [line(titles.map { StyledText($0.title, .gray) }, widths, columns, style)]
    for row in rows { lines.append(line(row, widths, columns, style)) }
    return lines.map { $0 + "\n" }.joined()
  }

  private var widths: [Int] {
    titles.indices.map { index in
      rows.map { PrintableText.width($0[index].plain) }
        .reduce(PrintableText.width(titles[index].title), max)
    }
  }

  private func line(
    _ cells: [StyledText], _ widths: [Int], _ columns: Int?, _ style: TextStyle
  ) -> String {
    var text = ""
    for (index, cell) in cells.enumerated() {
      let isLast = index == cells.count - 1
      let shown = isLast ? fitted(cell, columns) : cell
      let blank = String(
        repeating: " ", count: max(0, widths[index] - PrintableText.width(shown.plain)))
      switch titles[index].alignment {
      case .left: text += shown.rendered(style) + (isLast ? "" : blank)
      case .right: text += blank + shown.rendered(style)
      }
      if !isLast { text += String(repeating: " ", count: Self.gap) }
    }
    return style.isColoured ? text : trimmed(text)
  }

  private func fitted(_ cell: StyledText, _ columns: Int?) -> StyledText {
    guard let columns, PrintableText.width(cell.plain) > columns - widthBeforeLast else {
      return cell
    }
    let colour = cell.pieces.count == 1 ? cell.pieces.first?.colour : nil
    return StyledText(
      PrintableText.cut(cell.plain, columns: max(8, columns - widthBeforeLast)), colour)
  }

  private func trimmed(_ line: String) -> String {
    var line = Substring(line)
    while line.last == " " { line.removeLast() }
    return String(line)
  }
}
