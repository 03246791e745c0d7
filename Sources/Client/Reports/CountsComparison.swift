package import Schema

/// Counts beside those of an earlier moment.
package struct CountsComparison: Sendable {
  /// One category at both moments.
  package struct Row: Sendable, Equatable {
    /// The category.
    package var category: CategoryName
    /// Its stock then.
    package var before: Int
    /// Its stock now.
    package var now: Int
    /// Triplets it should have now.
    package var target: Int
  }

  private static let widestBar = 40
  private static let narrowestBar = 8

  /// Every category of either moment, in the order asked for.
  package let rows: [Row]

  /// Compares two answers of the daemon.
  package init(before: Counts.Result, now: Counts.Result, order: CountsReport.Order) {
    let earlier = Dictionary(
      before.categories.map { ($0.category, $0.stock) }, uniquingKeysWith: { first, _ in first })
    var known = Set<CategoryName>()
    var rows: [Row] = []
    for count in CountsReport.sorted(now.categories, by: order) {
      known.insert(count.category)
      rows.append(
        Row(
          category: count.category, before: earlier[count.category] ?? 0, now: count.stock,
          target: count.target))
    }
    for count in before.categories where known.insert(count.category).inserted {
      rows.append(Row(category: count.category, before: count.stock, now: 0, target: 0))
    }
    self.rows = rows
  }

  /// The table and a line of totals.
  package func rendered(columns: Int?, style: TextStyle) -> String {
    let scale = rows.map { max($0.before, $0.now) }.max() ?? 1
    let cells = rows.map { row -> [StyledText] in
      let change = row.now - row.before
      return [
        StyledText(PrintableText.clean(row.category.text)), StyledText("\(row.before)"),
        StyledText("\(row.now)"),
        StyledText(change > 0 ? "+\(change)" : "\(change)", Self.colour(change)),
        StyledText(row.target == 0 ? "-" : "\(row.target)"),
      ]
    }
    var plain = Table(Self.titles)
    for row in cells { plain.add(row + [""]) }
    let room = min(Self.widestBar, columns.map { $0 - plain.widthBeforeLast } ?? Self.widestBar)
    guard room >= Self.narrowestBar else {
      return plain.rendered(columns: nil, style: style) + totals
    }
    var table = Table(Self.titles)
    for (row, cells) in zip(rows, cells) {
      table.add(cells + [Self.bar(row, scale: scale, width: room)])
    }
    return table.rendered(columns: columns, style: style) + totals + legend(style)
  }

  private static let titles: [(title: String, alignment: Table.Alignment)] = [
    ("CATEGORY", .left), ("BEFORE", .right), ("NOW", .right), ("CHANGE", .right),
    ("TARGET", .right), ("", .left),
  ]

  private static func bar(_ row: Row, scale: Int, width: Int) -> StyledText {
    Bar.stacked(
      value: min(row.before, row.now), colour: .gray,
      rest: [
        (max(0, row.now - row.before), "▒", .green), (max(0, row.before - row.now), "░", .red),
      ], scale: scale, width: width)
  }

  private static func colour(_ change: Int) -> TextStyle.Colour? {
    change == 0 ? nil : change > 0 ? .green : .red
  }

  private var totals: String {
    let before = rows.reduce(0) { $0 + $1.before }
    let now = rows.reduce(0) { $0 + $1.now }
    return
      "\n\(Quantity.text(rows.count, "category", "categories")); stock added up: \(before) before, \(now) now.\n"
  }

  private func legend(_ style: TextStyle) -> String {
    style.paint("█", .gray) + " before  " + style.paint("▒", .green) + " gained"
      + (rows.contains { $0.now < $0.before } ? "  " + style.paint("░", .red) + " lost" : "")
      + "\n"
  }
}
