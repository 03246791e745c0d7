public import Schema

/// Horizontal bars, one or more per row, with a mark at each row's target.
public struct BarChart: Sendable {
  /// What the bars of one colour mean.
  public struct Series: Sendable {
    /// Its name in the legend.
    public var name: String
    /// Its colour.
    public var color: RGBColor

    /// Creates a series.
    public init(name: String, color: RGBColor) {
      self.name = name
      self.color = color
    }
  }

  /// The bars of one label.
  public struct Row: Sendable {
    /// Stands left of the bars.
    public var label: String
    /// One value for each series, not negative.
    public var values: [Double]
    /// Where the mark stands; none when nil.
    public var target: Double?

    /// Creates a row.
    public init(label: String, values: [Double], target: Double? = nil) {
      self.label = label
      self.values = values
      self.target = target
    }
  }

  /// Rows of one chart.
  public static let maximumRows = 400

  /// The headline.
  public var title: String
  /// A line below it; none when empty.
  public var subtitle: String
  /// What the axis counts.
  public var axisLabel: String
  /// The colours, in the order of each row's values.
  public var series: [Series]
  /// The rows, from the top.
  public var rows: [Row]
  /// Columns of the picture.
  public var width: Int

  /// Creates a chart.
  public init(
    title: String, subtitle: String = "", axisLabel: String, series: [Series], rows: [Row],
    width: Int = 960
  ) {
    self.title = title
    self.subtitle = subtitle
    self.axisLabel = axisLabel
    self.series = series
    self.rows = rows
    self.width = width
  }

  /// Draws the chart.
  ///
  /// - Throws: ``ImagingError/Code/invalidArgument`` when there are no rows or series or too many,
  ///   a row has another number of values, a value is negative or not finite, or the width is
  ///   outside 400 to 4096.
  public func render() throws(ImagingError) -> RGBImage {
    try validate()
    let layout = Layout(self)
    var canvas = Canvas(width: width, height: layout.height, background: .white)
    drawHeader(layout, on: &canvas)
    drawAxis(layout, on: &canvas)
    for (index, row) in rows.enumerated() { draw(row, index, layout, on: &canvas) }
    return canvas.image
  }

  private func validate() throws(ImagingError) {
    guard (1...Self.maximumRows).contains(rows.count), (1...8).contains(series.count) else {
      throw ImagingError(
        .invalidArgument,
        "a chart of \(rows.count) rows and \(series.count) series; "
          + "expected 1 to \(Self.maximumRows) and 1 to 8")
    }
    guard (400...4096).contains(width) else {
      throw ImagingError(.invalidArgument, "a chart \(width) pixels wide; expected 400 to 4096")
    }
    for row in rows {
      let numbers = row.values + (row.target.map { [$0] } ?? [])
      guard row.values.count == series.count,
        numbers.allSatisfy({ $0.isFinite && $0 >= 0 && $0 <= 1e12 })
      else {
        throw ImagingError(
          .invalidArgument,
          "row '\(row.label)' has the values \(numbers); expected \(series.count) from 0 to 1e12")
      }
    }
  }

  private func drawHeader(_ layout: Layout, on canvas: inout Canvas) {
    canvas.text(title, x: layout.margin, y: layout.margin, .ink, scale: 3)
    if !subtitle.isEmpty {
      canvas.text(subtitle, x: layout.margin, y: layout.subtitleTop, .faded, scale: 2)
    }
    var x = layout.margin
    for entry in series {
      canvas.fill(x: x, y: layout.legendTop, width: 16, height: 14, entry.color)
      canvas.text(entry.name, x: x + 24, y: layout.legendTop, .ink, scale: 2)
      x += 24 + Canvas.textWidth(entry.name, scale: 2) + 28
    }
    guard rows.contains(where: { $0.target != nil }) else { return }
    canvas.fill(x: x + 6, y: layout.legendTop - 2, width: 3, height: 18, .ink)
    canvas.text("target", x: x + 24, y: layout.legendTop, .ink, scale: 2)
  }

  private func drawAxis(_ layout: Layout, on canvas: inout Canvas) {
    for tick in 0...layout.tickCount {
      let value = Double(tick) * layout.tickStep
      let x = layout.x(value)
      canvas.fill(x: x, y: layout.plotTop, width: 1, height: layout.plotHeight, .rule)
      canvas.text(
        Self.number(value), x: x, y: layout.plotTop + layout.plotHeight + 8, .faded, scale: 2,
        align: .center)
    }
    canvas.fill(x: layout.plotLeft, y: layout.plotTop, width: 1, height: layout.plotHeight, .faded)
    canvas.text(
      axisLabel, x: (layout.plotLeft + layout.plotRight) / 2,
      y: layout.plotTop + layout.plotHeight + 34, .faded, scale: 2, align: .center)
  }

  private func draw(_ row: Row, _ index: Int, _ layout: Layout, on canvas: inout Canvas) {
    let top = layout.plotTop + index * layout.rowStep + 6
    let barsHeight = series.count * layout.barStep - 2
    let label = Canvas.shortened(row.label, width: layout.labelWidth, scale: 2)
    canvas.text(
      label, x: layout.plotLeft - 12, y: top + (barsHeight - 14) / 2, .ink, scale: 2, align: .right)
    for (place, value) in row.values.enumerated() {
      let y = top + place * layout.barStep
      let length = max(value > 0 ? 1 : 0, layout.x(value) - layout.plotLeft)
      canvas.fill(
        x: layout.plotLeft, y: y, width: length, height: layout.barStep - 2, series[place].color)
      canvas.text(
        Self.number(value), x: layout.plotLeft + length + 6, y: y + (layout.barStep - 2 - 7) / 2,
        .faded)
    }
    guard let target = row.target else { return }
    canvas.fill(x: layout.x(target) - 1, y: top - 3, width: 3, height: barsHeight + 6, .ink)
  }

  /// A number without a needless decimal point.
  private static func number(_ value: Double) -> String {
    if value == value.rounded() { return "\(Int(value))" }
    return "\(Double(Int((value * 100).rounded())) / 100)"
  }
}

/// Where the parts of a chart lie.
private struct Layout {
  let margin = 28
  let subtitleTop: Int
  let legendTop: Int
  let plotTop: Int
  let plotLeft: Int
  let plotRight: Int
  let plotHeight: Int
  let labelWidth: Int
  let barStep: Int
  let rowStep: Int
  let height: Int
  let tickStep: Double
  let tickCount: Int

  init(_ chart: BarChart) {
    subtitleTop = margin + 33
    legendTop = subtitleTop + (chart.subtitle.isEmpty ? 6 : 34)
    plotTop = legendTop + 36
    let widest = chart.rows.map { Canvas.textWidth($0.label, scale: 2) }.max() ?? 0
    labelWidth = min(widest, chart.width / 3)
    plotLeft = margin + labelWidth + 12
    plotRight = chart.width - margin - 44
    barStep = chart.series.count == 1 ? 18 : 13
    rowStep = chart.series.count * barStep + 10
    plotHeight = chart.rows.count * rowStep + 2
    height = plotTop + plotHeight + 34 + 14 + margin
    let top = chart.rows.flatMap { $0.values + [$0.target ?? 0] }.max() ?? 0
    (tickStep, tickCount) = Self.ticks(upTo: max(top, 1))
  }

  /// The column at which a value lies.
  func x(_ value: Double) -> Int {
    let share = value / (tickStep * Double(tickCount))
    return plotLeft + Int((share * Double(plotRight - plotLeft)).rounded())
  }

  /// Steps of 1, 2 or 5 times a power of ten, at most eight of them.
  private static func ticks(upTo top: Double) -> (step: Double, count: Int) {
    var power = 1.0
    while true {
      for factor in [1.0, 2, 5] where top / (factor * power) <= 8 {
        return (factor * power, max(1, Int((top / (factor * power)).rounded(.up))))
      }
      power *= 10
    }
  }
}
