package import Schema

/// The counts of categories as a table with a bar for each.
package struct CountsReport: Sendable {
  /// What the table is ordered by.
  package enum Order: String, Sendable, CaseIterable {
    /// The alphabet.
    case name
    /// Fewest triplets first.
    case stock
    /// Largest shortfall first.
    case shortfall
  }

  private static let widestBar = 40
  private static let narrowestBar = 8

  private let counts: Counts.Result
  private let rows: [CategoryCount]

  /// A report of counts in an order.
  package init(_ counts: Counts.Result, order: Order) {
    self.counts = counts
    rows = Self.sorted(counts.categories, by: order)
  }

  /// Categories in an order; those that are equal in it stand by name.
  package static func sorted(_ categories: [CategoryCount], by order: Order) -> [CategoryCount] {
    categories.sorted { left, right in
      switch order {
      case .stock where left.stock != right.stock: left.stock < right.stock
      case .shortfall where left.shortfall != right.shortfall: left.shortfall > right.shortfall
      default: left.category < right.category
      }
    }
  }

  /// The table and a line of totals.
  package func rendered(columns: Int?, style: TextStyle) -> String {
    guard !rows.isEmpty else {
      return
        "The store has no categories yet; fill one with 'groundwell backfill cat --target 20'.\n"
    }
    let cells = rows.map { row -> [StyledText] in
      [
        StyledText(PrintableText.clean(row.category.text)), StyledText("\(row.stock)"),
        StyledText(row.target == 0 ? "-" : "\(row.target)"),
        StyledText("\(row.shortfall)", row.shortfall > 0 ? .red : nil),
        StyledText("\(row.pending)", row.pending > 0 ? .yellow : nil),
      ]
    }
    var plain = Table(Self.titles + [("", .left)])
    for row in cells { plain.add(row + [""]) }
    let room = min(Self.widestBar, columns.map { $0 - plain.widthBeforeLast } ?? Self.widestBar)
    guard room >= Self.narrowestBar else {
      var narrow = Table(Self.titles)
      for row in cells { narrow.add(row) }
      return narrow.rendered(columns: nil, style: style) + totals
    }
    var table = Table(Self.titles + [("", .left)])
    for (row, cells) in zip(rows, cells) { table.add(cells + [bar(row, width: room)]) }
    return table.rendered(columns: columns, style: style) + totals + legend(style)
  }

  private static let titles: [(title: String, alignment: Table.Alignment)] = [
    ("CATEGORY", .left), ("STOCK", .right), ("TARGET", .right), ("SHORT", .right),
    ("PENDING", .right),
  ]

  private func bar(_ row: CategoryCount, width: Int) -> StyledText {
    let scale = rows.map { $0.stock + $0.shortfall }.max() ?? 1
    let coming = min(row.pending, row.shortfall)
    return Bar.stacked(
      value: row.stock, colour: .green,
      rest: [(coming, "▒", .yellow), (row.shortfall - coming, "░", .red)], scale: scale,
      width: width)
  }

  private var totals: String {
    let short = rows.filter { $0.shortfall > 0 }
    let missing = short.reduce(0) { $0 + $1.shortfall }
    let pending = rows.reduce(0) { $0 + $1.pending }
    let instances = rows.reduce(0) { $0 + $1.instances }
    let subject = Quantity.text(short.count, "category is", "categories are")
    let lack =
      short.isEmpty ? "None is short" : "\(subject) short, by \(missing) in all; \(pending) pending"
    let names = Quantity.text(rows.count, "category", "categories")
    return "\n\(names), \(Quantity.text(instances, "object")); "
      + "\(Quantity.text(counts.triplets, "triplet")) in the store.\n\(lack).\n"
  }

  private func legend(_ style: TextStyle) -> String {
    guard rows.contains(where: { $0.shortfall > 0 }) else { return "" }
    return style.paint("█", .green) + " in stock  " + style.paint("▒", .yellow) + " pending  "
      + style.paint("░", .red) + " missing\n"
  }
}
