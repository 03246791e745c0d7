import Imaging
import Schema
import Testing

/// `LineChart`: lines where their values are, and what is refused.
@Suite struct LineChartTests {
  @Test("a rising line is lower on the left than on the right, in its colour")
  func risingLine() throws {
    let red = RGBColor(255, 0, 0)
    let image = try LineChart(
      title: "loss", xLabel: "steps", yLabel: "loss",
      series: [.init(name: "a", color: red, points: [(0, 0), (10, 1)])]
    ).render()
    var rows: [Int: Int] = [:]
    for row in 100..<image.height {
      for column in 0..<image.width {
        let at = (row * image.width + column) * 3
        if Array(image.pixels[at..<at + 3]) == [255, 0, 0] { rows[column] = row }
      }
    }
    let columns = rows.keys.sorted()
    #expect(columns.count > 700)
    #expect(try #require(rows[columns[10]]) > (try #require(rows[columns[columns.count - 10]])))
  }

  @Test("no points, and values that are no numbers, are refused")
  func refused() {
    for points in [[], [(x: 1.0, y: Double.nan)], [(x: Double.infinity, y: 1.0)]] {
      let error = #expect(throws: ImagingError.self) {
        _ = try LineChart(
          title: "", xLabel: "", yLabel: "",
          series: [.init(name: "a", color: .ink, points: points)]
        ).render()
      }
      #expect(error?.code == .invalidArgument)
    }
  }
}
