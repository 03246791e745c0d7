public import Schema

/// Many pictures on one sheet, each with a caption and, if it has masks, with those shown in
/// colour and named.
public struct ContactSheet: Sendable {
  /// One picture of the sheet.
  public struct Entry: Sendable {
    /// The picture.
    public var image: RGBImage
    /// Text below it; each string starts a line and is broken where it is too long.
    public var captions: [String]
    /// What is in it, by name; a name may come twice.
    public var masks: [(name: String, mask: BinaryMask)]

    /// Creates an entry.
    ///
    /// - Precondition: Each mask has the picture's size.
    public init(
      image: RGBImage, captions: [String], masks: [(name: String, mask: BinaryMask)] = []
    ) {
      for (name, mask) in masks {
        precondition(
          mask.width == image.width && mask.height == image.height,
          "'\(name)': a mask of \(mask.width)x\(mask.height) on \(image.width)x\(image.height)")
      }
      self.image = image
      self.captions = captions
      self.masks = masks
    }
  }

  /// Pictures on one sheet.
  public static let maximumEntries = 1000

  /// The headline; none when empty.
  public var title: String
  /// A line below it; none when empty.
  public var subtitle: String
  /// Pictures side by side; chosen from their number when nil.
  public var columns: Int?
  /// Pixels that a picture takes at least along its longer side: smaller ones are enlarged by a
  /// whole factor, those over twice this are reduced.
  public var tileSide: Int
  /// Whether a picture with masks stands beside itself without them.
  public var showsPlainImage: Bool
  /// The pictures, in reading order.
  public var entries: [Entry]

  /// Creates a sheet.
  public init(
    title: String, subtitle: String = "", columns: Int? = nil, tileSide: Int = 192,
    showsPlainImage: Bool = false, entries: [Entry]
  ) {
    self.title = title
    self.subtitle = subtitle
    self.columns = columns
    self.tileSide = tileSide
    self.showsPlainImage = showsPlainImage
    self.entries = entries
  }

  /// Draws the sheet.
  ///
  /// - Throws: ``ImagingError/Code/invalidArgument`` for no or too many entries or columns outside
  ///   1 to 64, ``ImagingError/Code/tooLarge`` when the sheet would be.
  public func render() throws(ImagingError) -> RGBImage {
    guard (1...Self.maximumEntries).contains(entries.count) else {
      throw ImagingError(
        .invalidArgument,
        "a sheet of \(entries.count) pictures; expected 1 to \(Self.maximumEntries)")
    }
    guard (1...64).contains(columns ?? 1), (16...2048).contains(tileSide) else {
      throw ImagingError(
        .invalidArgument,
        "a sheet of \(columns ?? 1) columns of \(tileSide) pixels; expected 1 to 64 of 16 to 2048")
    }
    let colors = Palette.colors(for: entries.flatMap { $0.masks.map(\.name) })
    let tiles = entries.map { Tile($0, sheet: self, colors: colors) }
    return try draw(tiles)
  }

  private static let margin = 28
  private static let gap = 22

  private func draw(_ tiles: [Tile]) throws(ImagingError) -> RGBImage {
    let columnCount = min(tiles.count, columns ?? Self.defaultColumns(tiles))
    let rows = stride(from: 0, to: tiles.count, by: columnCount).map {
      Array(tiles[$0..<min($0 + columnCount, tiles.count)])
    }
    let columnWidth = tiles.map(\.width).max() ?? 0
    let rowHeights = rows.map { $0.map(\.height).max() ?? 0 }
    let headerWidth = max(
      Canvas.textWidth(title, scale: 3), Canvas.textWidth(subtitle, scale: 2))
    let width =
      2 * Self.margin + max(headerWidth, columnCount * (columnWidth + Self.gap) - Self.gap)
    let top = Self.margin + headerHeight
    let height = top + rowHeights.reduce(0) { $0 + $1 + Self.gap } - Self.gap + Self.margin
    guard width <= Resize.maximumSide, height <= Resize.maximumSide,
      width * height <= PNG.maximumPixels
    else {
      throw ImagingError(
        .tooLarge,
        "a sheet of \(width)x\(height) pixels; show fewer pictures or smaller ones")
    }
    var canvas = Canvas(width: width, height: height, background: .paper)
    drawHeader(on: &canvas)
    var y = top
    for (row, rowHeight) in zip(rows, rowHeights) {
      for (column, tile) in row.enumerated() {
        let x = Self.margin + column * (columnWidth + Self.gap)
        tile.draw(on: &canvas, x: x, y: y, width: columnWidth, height: rowHeight)
      }
      y += rowHeight + Self.gap
    }
    return canvas.image
  }

  private var headerHeight: Int {
    (title.isEmpty ? 0 : Canvas.lineStep(scale: 3) + 6)
      + (subtitle.isEmpty ? 0 : Canvas.lineStep(scale: 2) + 4)
      + (title.isEmpty && subtitle.isEmpty ? 0 : 12)
  }

  private func drawHeader(on canvas: inout Canvas) {
    var y = Self.margin
    if !title.isEmpty {
      canvas.text(title, x: Self.margin, y: y, .ink, scale: 3)
      y += Canvas.lineStep(scale: 3) + 6
    }
    if !subtitle.isEmpty { canvas.text(subtitle, x: Self.margin, y: y, .faded, scale: 2) }
  }

  /// As many columns as make the sheet somewhat wider than high.
  private static func defaultColumns(_ tiles: [Tile]) -> Int {
    let width = tiles.map(\.width).max() ?? 1
    let height = tiles.map(\.height).max() ?? 1
    var count = 1
    while count < 8, 10 * (count * width) < 13 * ((tiles.count + count - 1) / count * height) {
      count += 1
    }
    return count
  }
}
