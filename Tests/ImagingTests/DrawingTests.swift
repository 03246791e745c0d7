import Imaging
import Schema
import Testing

/// Canvas, overlays, sheets and charts.
@Suite struct DrawingTests {
  private func color(_ image: RGBImage, _ x: Int, _ y: Int) -> RGBColor {
    let at = (y * image.width + x) * 3
    return RGBColor(image.pixels[at], image.pixels[at + 1], image.pixels[at + 2])
  }

  private func rows(_ image: RGBImage) -> [String] {
    (0..<image.height).map { y in
      String((0..<image.width).map { x in color(image, x, y) == .white ? "." : "#" })
    }
  }

  @Test("text is drawn from the font's rows, with one column between letters")
  func drawsText() {
    var canvas = Canvas(width: 10, height: 9)
    canvas.text("Hi", x: 1, y: 0, .ink)
    #expect(
      rows(canvas.image) == [
        ".#...#..#.", ".#...#....", ".#...#.##.", ".#####..#.", ".#...#..#.", ".#...#..#.",
        ".#...#.###", "..........", "..........",
      ])
    #expect(Canvas.textWidth("Hi") == 9)
    #expect(Canvas.textWidth("Hi", scale: 3) == 27)
    #expect(Canvas.textWidth("") == 0)
  }

  @Test("every printable ASCII character has a glyph of its own, others show as a box")
  func hasAllGlyphs() {
    var seen = Set<[UInt8]>()
    for code in UInt8(33)...126 {
      var canvas = Canvas(width: 8, height: 9)
      canvas.text(String(UnicodeScalar(code)), x: 0, y: 0, .ink)
      seen.insert(canvas.image.pixels)
    }
    #expect(seen.count == 94)
    var canvas = Canvas(width: 8, height: 9)
    canvas.text("é", x: 0, y: 0, .ink)
    #expect(!seen.contains(canvas.image.pixels))
  }

  @Test("what lies outside is cut off")
  func clips() {
    var canvas = Canvas(width: 4, height: 3)
    canvas.fill(x: -5, y: -5, width: 7, height: 7, .ink)
    canvas.fill(x: 9, y: 9, width: 2, height: 2, .ink)
    canvas.text("W", x: 3, y: 2, .ink)
    canvas.draw(
      RGBImage(width: 2, height: 2, pixels: [UInt8](repeating: 0, count: 12)), x: -1, y: 2)
    #expect(rows(canvas.image) == ["##..", "##..", "#..#"])
  }

  @Test("a line holds both its ends and the pixels between")
  func drawsLines() {
    var canvas = Canvas(width: 5, height: 3)
    canvas.line(x0: 4, y0: 0, x1: 0, y1: 2, .ink)
    let image = canvas.image
    #expect(color(image, 4, 0) == .ink && color(image, 0, 2) == .ink && color(image, 2, 1) == .ink)
    #expect(rows(image).joined().filter { $0 == "#" }.count == 5)
  }

  @Test("text is broken at words and shortened with dots")
  func wrapsText() {
    #expect(
      Canvas.wrapped("a photograph of a cat", width: 80).joined(separator: "|")
        == "a photograph|of a cat")
    let cut = Canvas.wrapped("one two three four five six", width: 24, maximumLines: 2)
    #expect(cut.count == 2)
    #expect(cut[1].hasSuffix("..."))
    #expect(cut.allSatisfy { Canvas.textWidth($0) <= 24 })
  }

  @Test("a tint covers its share, the outline is the mask's own edge")
  func tints() {
    let image = RGBImage(width: 5, height: 5, pixels: [UInt8](repeating: 100, count: 75))
    var values = [UInt8](repeating: 0, count: 25)
    for y in 1...3 { for x in 1...3 { values[y * 5 + x] = 1 } }
    let mask = BinaryMask(width: 5, height: 5, values: values)
    let red = RGBColor(200, 0, 0)
    let shown = Overlay.tint(image, masks: [(mask, red)], share: 128)
    #expect(color(shown, 0, 0) == RGBColor(100, 100, 100))
    #expect(color(shown, 1, 1) == red)
    #expect(color(shown, 3, 2) == red)
    // 100·½ + 200·½ and 100·½ + 0
    #expect(color(shown, 2, 2) == RGBColor(150, 50, 50))
    let plain = Overlay.tint(image, masks: [(mask, red)], share: 128, drawsOutline: false)
    #expect(color(plain, 1, 1) == RGBColor(150, 50, 50))
  }

  @Test("the first sixteen colours differ, and names keep their colours in any order")
  func picksColors() {
    #expect(Set((0..<16).map(Palette.color)).count == 16)
    #expect(Set((0..<64).map(Palette.color)).count == 64)
    #expect(Palette.colors(for: ["b", "a", "b"]) == Palette.colors(for: ["a", "b"]))
  }

  @Test("a sheet holds every picture, enlarged by a whole factor")
  func makesSheets() throws {
    let blue = RGBImage(
      width: 8, height: 8, pixels: (0..<64).flatMap { _ in [0, 0, 255] as [UInt8] })
    let mask = BinaryMask(width: 8, height: 8, values: [UInt8](repeating: 1, count: 64))
    let plain = ContactSheet.Entry(image: blue, captions: ["blue"])
    let masked = ContactSheet.Entry(image: blue, captions: [], masks: [("cat", mask)])
    let sheet = ContactSheet(
      title: "Test", columns: 2, tileSide: 20, entries: [plain, masked, plain])
    let image = try sheet.render()
    let bluePixels = (0..<(image.width * image.height)).count {
      Array(image.pixels[($0 * 3)..<($0 * 3 + 3)]) == [0, 0, 255]
    }
    // Two plain tiles of (8·3)² pixels; the third is tinted all over.
    #expect(bluePixels == 2 * 24 * 24)
    #expect(try sheet.render() == image)
  }

  @Test("a sheet of nothing and one of too much are refused")
  func refusesSheets() throws {
    let none = #expect(throws: ImagingError.self) {
      try ContactSheet(title: "", entries: []).render()
    }
    #expect(none?.code == .invalidArgument)
    #expect(none?.message == "a sheet of 0 pictures; expected 1 to 1000")
    let big = RGBImage(width: 400, height: 400, pixels: [UInt8](repeating: 0, count: 480_000))
    let entries = [ContactSheet.Entry](
      repeating: ContactSheet.Entry(image: big, captions: []), count: 1000)
    let much = #expect(throws: ImagingError.self) {
      try ContactSheet(title: "", entries: entries).render()
    }
    #expect(much?.code == .tooLarge)
  }

  @Test("bars are as long as their values")
  func drawsBars() throws {
    let red = RGBColor(250, 1, 2)
    let chart = BarChart(
      title: "Stock", axisLabel: "triplets", series: [.init(name: "before", color: red)],
      rows: [.init(label: "cat", values: [8], target: 8), .init(label: "dog", values: [4])],
      width: 600)
    let image = try chart.render()
    let lengths = (0..<image.height).map { y in
      (0..<image.width).count { color(image, $0, y) == red }
    }
    let (long, short) = (lengths.max() ?? 0, lengths.filter { $0 > 16 }.min() ?? 0)
    #expect(long > 300)
    // The mark of the target hides the end of the bar that reaches it.
    #expect(abs(long - 2 * short) <= 4, "\(long) and \(short)")
  }

  @Test("a chart refuses rows that do not fit its series")
  func refusesCharts() throws {
    let error = #expect(throws: ImagingError.self) {
      try BarChart(
        title: "", axisLabel: "", series: [.init(name: "a", color: .ink)],
        rows: [.init(label: "cat", values: [1, 2])]
      ).render()
    }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message == "row 'cat' has the values [1.0, 2.0]; expected 1 from 0 to 1e12")
    #expect(throws: ImagingError.self) {
      try BarChart(
        title: "", axisLabel: "", series: [.init(name: "a", color: .ink)],
        rows: [.init(label: "cat", values: [.nan])]
      ).render()
    }
  }
}
