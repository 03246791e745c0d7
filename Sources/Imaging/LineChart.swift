public import Schema

/// Lines over one horizontal axis: losses over steps, scores over sizes.
public struct LineChart: Sendable {
  /// One line.
  public struct Series: Sendable {
    /// Its name in the legend.
    public var name: String
    /// Its colour.
    public var color: RGBColor
    /// Its points, in the order in which they are joined.
    public var points: [(x: Double, y: Double)]

    /// Creates a line.
    public init(name: String, color: RGBColor, points: [(x: Double, y: Double)]) {
      self.name = name
      self.color = color
      self.points = points
    }
  }

  /// Lines of one chart.
  public static let maximumSeries = 16
  /// Points of one line.
  public static let maximumPoints = 100_000
  private static let (width, height) = (960, 540)
  private static let plot = (left: 96, top: 108, right: 930, bottom: 470)

  /// The headline.
  public var title: String
  /// What the horizontal axis counts.
  public var xLabel: String
  /// What the vertical axis measures.
  public var yLabel: String
  /// The lines.
  public var series: [Series]

  /// Creates a chart.
  public init(title: String, xLabel: String, yLabel: String, series: [Series]) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.series = series
  }

  /// Draws the chart, 960 by 540 pixels.
  ///
  /// - Throws: ``ImagingError/Code/invalidArgument`` when there are no points or too many, too many
  ///   lines, or a value is not finite.
  public func render() throws(ImagingError) -> RGBImage {
    let points = series.flatMap(\.points)
    guard !points.isEmpty, series.count <= Self.maximumSeries,
      series.allSatisfy({ $0.points.count <= Self.maximumPoints }),
      points.allSatisfy({ abs($0.x) <= 1e12 && abs($0.y) <= 1e12 })
    else {
      throw ImagingError(
        .invalidArgument,
        "a chart of \(series.count) lines and \(points.count) points; expected 1 to "
          + "\(Self.maximumSeries) lines of up to \(Self.maximumPoints) finite points")
    }
    let horizontal = ChartAxis(points.map(\.x))
    let vertical = ChartAxis(points.map(\.y) + [0])
    var canvas = Canvas(width: Self.width, height: Self.height, background: .white)
    drawFrame(horizontal, vertical, on: &canvas)
    for line in series { draw(line, horizontal, vertical, on: &canvas) }
    return canvas.image
  }

  private func place(_ point: (x: Double, y: Double), _ x: ChartAxis, _ y: ChartAxis) -> (Int, Int)
  {
    let plot = Self.plot
    return (
      plot.left + Int((x.share(point.x) * Double(plot.right - plot.left)).rounded()),
      plot.bottom - Int((y.share(point.y) * Double(plot.bottom - plot.top)).rounded())
    )
  }

  private func drawFrame(_ x: ChartAxis, _ y: ChartAxis, on canvas: inout Canvas) {
    let plot = Self.plot
    canvas.text(title, x: 28, y: 24, .ink, scale: 3)
    var left = 28
    for line in series {
      canvas.fill(x: left, y: 66, width: 16, height: 14, line.color)
      canvas.text(line.name, x: left + 24, y: 66, .ink, scale: 2)
      left += 24 + Canvas.textWidth(line.name, scale: 2) + 28
    }
    for tick in y.ticks {
      let (_, row) = place((x.low, tick), x, y)
      canvas.fill(x: plot.left, y: row, width: plot.right - plot.left, height: 1, .rule)
      canvas.text(Self.number(tick), x: plot.left - 8, y: row - 6, .faded, scale: 2, align: .right)
    }
    for tick in x.ticks {
      let (column, _) = place((tick, y.low), x, y)
      canvas.fill(x: column, y: plot.bottom, width: 1, height: 6, .faded)
      canvas.text(
        Self.number(tick), x: column, y: plot.bottom + 12, .faded, scale: 2, align: .center)
    }
    canvas.text(yLabel, x: plot.left, y: plot.top - 20, .faded, scale: 2)
    canvas.text(
      xLabel, x: (plot.left + plot.right) / 2, y: plot.bottom + 38, .faded, scale: 2,
      align: .center)
  }

  private func draw(
    _ line: Series, _ x: ChartAxis, _ y: ChartAxis, on canvas: inout Canvas
  ) {
    let places = line.points.map { place($0, x, y) }
    for (from, to) in zip(places, places.dropFirst()) {
      for shift in 0...1 {
        canvas.line(
          x0: from.0, y0: from.1 + shift, x1: to.0, y1: to.1 + shift, line.color)
      }
    }
    guard places.count <= 40 else { return }
    for (column, row) in places {
      canvas.fill(x: column - 3, y: row - 3, width: 7, height: 7, line.color)
    }
  }

  private static func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e9 { return "\(Int(value))" }
    return "\((value * 10_000).rounded() / 10_000)"
  }
}

/// A range of values with ticks at round numbers.
private struct ChartAxis {
  let low: Double
  let high: Double
  let ticks: [Double]

  /// Covers all values with steps of 1, 2 or 5 times a power of ten, at most eight of them.
  init(_ values: [Double]) {
    let (least, most) = (values.min() ?? 0, values.max() ?? 1)
    let span = most > least ? most - least : max(abs(most), 1)
    var step = 1e-9
    search: for exponent in -9...12 {
      var power = 1.0
      for _ in 0..<abs(exponent) { power *= 10 }
      for factor in [1.0, 2, 5] {
        step = exponent < 0 ? factor / power : factor * power
        if span / step <= 8 { break search }
      }
    }
    let (first, last) = ((least / step).rounded(.down), (most / step).rounded(.up))
    let count = max(1, Int(last - first))
    low = first * step
    high = (first + Double(count)) * step
    ticks = (0...count).map { (first + Double($0)) * step }
  }

  /// Where a value lies, 0 at the low end and 1 at the high one.
  func share(_ value: Double) -> Double { (value - low) / (high - low) }
}
