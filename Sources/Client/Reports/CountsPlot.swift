import Imaging
import Schema

/// The counts of categories as a picture of bars.
enum CountsPlot {
  private static let before = RGBColor(hex: 0xA9B4C0)
  private static let now = RGBColor(hex: 0x2E7D5B)

  /// Stock of each category, with a mark at its target.
  static func chart(_ counts: Counts.Result, order: CountsReport.Order) -> BarChart {
    let rows = CountsReport.sorted(counts.categories, by: order).map { count in
      BarChart.Row(
        label: count.category.text, values: [Double(count.stock)], target: mark(count.target))
    }
    return chart([BarChart.Series(name: "stock", color: now)], rows, title: "Stock by category")
  }

  /// Stock of each category before and now, with a mark at its target.
  static func chart(_ comparison: CountsComparison) -> BarChart {
    let rows = comparison.rows.map { row in
      BarChart.Row(
        label: row.category.text, values: [Double(row.before), Double(row.now)],
        target: mark(row.target))
    }
    let series = [
      BarChart.Series(name: "before", color: before), BarChart.Series(name: "now", color: now),
    ]
    return chart(series, rows, title: "Stock by category, before and now")
  }

  private static func mark(_ target: Int) -> Double? { target > 0 ? Double(target) : nil }

  private static func chart(
    _ series: [BarChart.Series], _ rows: [BarChart.Row], title: String
  ) -> BarChart {
    let shown = Array(rows.prefix(BarChart.maximumRows))
    let subtitle =
      shown.count == rows.count
      ? "\(rows.count) categories" : "the first \(shown.count) of \(rows.count) categories"
    return BarChart(
      title: title, subtitle: subtitle, axisLabel: "triplets", series: series, rows: shown)
  }
}
