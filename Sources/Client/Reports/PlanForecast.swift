import Foundation
import Imaging
package import Schema

/// What the first batches of a stream draw of each category.
package struct PlanForecast: Codable, Sendable, Equatable {
  /// One category.
  package struct Row: Codable, Sendable, Equatable {
    /// The category.
    package var category: CategoryName
    /// Its triplets in the snapshot.
    package var stock: Int
    /// The part of all draws that it gets in the long run.
    package var share: Double
    /// Its draws in these batches.
    package var draws: Int
    /// Its fewest draws in one of the batches.
    package var leastPerBatch: Int
    /// Its most draws in one of the batches.
    package var mostPerBatch: Int
    /// How often each of its triplets has been drawn, on average.
    package var passes: Double
  }

  /// The policy.
  package var policy: SelectionPolicy
  /// The seed.
  package var seed: Int64
  /// The snapshot that the stream sees.
  package var snapshot: Int64
  /// The stream's hash, as the daemon gives it.
  package var plan: String
  /// Triplets in a batch of this rank.
  package var batchSize: Int
  /// How many batches were looked at, from the first.
  package var batches: Int
  /// Batches until every category has been gone through once.
  package var epochBatches: Int
  /// The categories, by label.
  package var categories: [Row]

  /// Works out the first `batches` batches.
  package init(_ plan: BatchPlan, batches: Int, snapshot: Int64, fingerprint: String) {
    let kinds = plan.categories.count
    var (draws, least) = ([Int](repeating: 0, count: kinds), [Int](repeating: .max, count: kinds))
    var most = [Int](repeating: 0, count: kinds)
    for number in 0..<batches {
      var batch = [Int](repeating: 0, count: kinds)
      for draw in plan.draws(batch: number) { batch[draw.category] += 1 }
      for (category, count) in batch.enumerated() {
        draws[category] += count
        least[category] = min(least[category], count)
        most[category] = max(most[category], count)
      }
    }
    let shares = plan.shares
    policy = plan.selection.policy
    seed = plan.seed
    self.snapshot = snapshot
    self.plan = fingerprint
    batchSize = plan.slots.count
    self.batches = batches
    epochBatches = plan.epochBatchCount
    categories = plan.categories.enumerated().map { index, category in
      Row(
        category: category.name, stock: category.count, share: shares[index], draws: draws[index],
        leastPerBatch: least[index], mostPerBatch: most[index],
        passes: Double(draws[index]) / Double(category.count))
    }
  }
}

extension PlanForecast {
  private static let widestBar = 40
  private static let narrowestBar = 10
  private static let titles: [(title: String, alignment: Table.Alignment)] = [
    ("CATEGORY", .left), ("STOCK", .right), ("SHARE", .right), ("DRAWS", .right),
    ("PER BATCH", .right), ("PASSES", .right),
  ]

  /// A table with a bar of draws per category where there is room, and a sentence.
  package func rendered(columns: Int?, style: TextStyle) -> String {
    let cells = categories.map(Self.cells)
    var plain = Table(Self.titles + [("", .left)])
    for row in cells { plain.add(row + [""]) }
    let room = min(Self.widestBar, columns.map { $0 - plain.widthBeforeLast } ?? Self.widestBar)
    guard room >= Self.narrowestBar else {
      var narrow = Table(Self.titles)
      for row in cells { narrow.add(row) }
      return narrow.rendered(columns: nil, style: style) + sentence
    }
    let scale = categories.map(\.draws).max() ?? 1
    var table = Table(Self.titles + [("", .left)])
    for (row, cells) in zip(categories, cells) {
      let bar = Bar.stacked(value: row.draws, colour: .green, rest: [], scale: scale, width: room)
      table.add(cells + [bar])
    }
    return table.rendered(columns: columns, style: style) + sentence
  }

  private static func cells(_ row: Row) -> [StyledText] {
    let isEven = row.leastPerBatch == row.mostPerBatch
    return [
      StyledText(PrintableText.clean(row.category.text)), StyledText("\(row.stock)"),
      StyledText(String(format: "%.2f%%", row.share * 100)), StyledText("\(row.draws)"),
      StyledText(isEven ? "\(row.mostPerBatch)" : "\(row.leastPerBatch)-\(row.mostPerBatch)"),
      // Who sees the same triplet many times learns it by heart.
      StyledText(String(format: "%.2f", row.passes), row.passes >= 100 ? .yellow : nil),
    ]
  }

  private var sentence: String {
    let total = categories.reduce(0) { $0 + $1.draws }
    let names = Quantity.text(categories.count, "category", "categories")
    return "\n\(Quantity.text(batches, "batch", "batches")) of \(batchSize) over \(names): "
      + "\(Quantity.text(total, "draw")); every triplet has come after "
      + "\(Quantity.text(epochBatches, "batch", "batches")).\n"
      + "policy \(policy.rawValue), seed \(seed), snapshot \(snapshot), plan \(plan)\n"
  }

  /// Bars of draws, with marks where the shares put them.
  var chart: BarChart {
    let shown = Array(categories.prefix(BarChart.maximumRows))
    let total = Double(batches * batchSize)
    return BarChart(
      title: "Draws by category",
      subtitle: "\(batches) batches of \(batchSize), policy \(policy.rawValue), seed \(seed)"
        + (shown.count == categories.count
          ? "" : "; the first \(shown.count) of \(categories.count) categories"),
      axisLabel: "draws; target: the share",
      series: [.init(name: "draws", color: RGBColor(hex: 0x2E7D5B))],
      rows: shown.map { row in
        BarChart.Row(
          label: row.category.text, values: [Double(row.draws)], target: row.share * total)
      })
  }
}
