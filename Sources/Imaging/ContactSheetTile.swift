import Schema

/// One picture of a sheet, laid out: its pictures in their final size, its lines of text.
struct Tile {
  private let entry: ContactSheet.Entry
  private let size: (width: Int, height: Int)
  private let colors: [String: RGBColor]
  private let showsBoth: Bool
  private let captions: [String]
  private let legend: [(name: String, color: RGBColor)]
  private let contentWidth: Int

  private static let padding = 10
  private static let pictureGap = 6
  private static let swatch = 11

  /// Lays the tile out; the pictures themselves are made when it is drawn.
  init(_ entry: ContactSheet.Entry, sheet: ContactSheet, colors: [String: RGBColor]) {
    self.entry = entry
    self.colors = colors
    size = Self.size(of: entry.image, tileSide: sheet.tileSide)
    showsBoth = sheet.showsPlainImage && !entry.masks.isEmpty
    let contentWidth = showsBoth ? 2 * size.width + Self.pictureGap : size.width
    self.contentWidth = contentWidth
    captions = entry.captions.flatMap { Canvas.wrapped($0, width: contentWidth, scale: 1) }
    var counts: [String: Int] = [:]
    for (name, _) in entry.masks { counts[name, default: 0] += 1 }
    legend = counts.keys.sorted().map { name in
      let count = counts[name] ?? 1
      return (count > 1 ? "\(name) x\(count)" : name, colors[name] ?? .ink)
    }
  }

  /// The picture in its final size, with and where asked for without masks.
  private func pictures() -> [RGBImage] {
    let plain = Self.resized(entry.image, size)
    guard !entry.masks.isEmpty else { return [plain] }
    let masks = entry.masks.map { name, mask in
      (
        mask: Resize.nearest(mask, width: size.width, height: size.height),
        color: colors[name] ?? .ink
      )
    }
    let overlaid = Overlay.tint(plain, masks: masks)
    return showsBoth ? [plain, overlaid] : [overlaid]
  }

  var width: Int { contentWidth + 2 * Self.padding }

  var height: Int {
    let texts = captions.count * Canvas.lineStep() + legendRows.count * (Self.swatch + 4)
    return size.height + texts + 2 * Self.padding + (texts > 0 ? 10 : 0)
  }

  func draw(on canvas: inout Canvas, x: Int, y: Int, width: Int, height: Int) {
    canvas.fill(x: x + 2, y: y + 2, width: width, height: height, .rule)
    canvas.fill(x: x, y: y, width: width, height: height, .white)
    canvas.frame(x: x, y: y, width: width, height: height, .rule)
    var left = x + (width - contentWidth) / 2
    let textLeft = left
    for picture in pictures() {
      canvas.draw(picture, x: left, y: y + Self.padding)
      left += picture.width + Self.pictureGap
    }
    var line = y + Self.padding + size.height + 10
    for row in legendRows {
      for item in row {
        canvas.fill(
          x: textLeft + item.x, y: line - 2, width: Self.swatch, height: Self.swatch, item.color)
        canvas.text(item.name, x: textLeft + item.x + Self.swatch + 5, y: line, .ink)
      }
      line += Self.swatch + 4
    }
    for caption in captions {
      canvas.text(caption, x: textLeft, y: line, .faded)
      line += Canvas.lineStep()
    }
  }

  /// The names, in as many rows as they need.
  private var legendRows: [[(x: Int, name: String, color: RGBColor)]] {
    var rows: [[(x: Int, name: String, color: RGBColor)]] = []
    var x = 0
    for (name, color) in legend {
      let room = contentWidth - Self.swatch - 5
      let shown = Canvas.shortened(name, width: room)
      let itemWidth = Self.swatch + 5 + Canvas.textWidth(shown) + 12
      if rows.isEmpty || x + itemWidth - 12 > contentWidth {
        rows.append([])
        x = 0
      }
      rows[rows.count - 1].append((x, shown, color))
      x += itemWidth
    }
    return rows
  }

  private static func size(
    of image: RGBImage, tileSide: Int
  ) -> (width: Int, height: Int) {
    let side = max(image.width, image.height, 1)
    if side > 2 * tileSide {
      return (
        max(1, image.width * 2 * tileSide / side), max(1, image.height * 2 * tileSide / side)
      )
    }
    let factor = max(1, (tileSide + side - 1) / side)
    return (image.width * factor, image.height * factor)
  }

  private static func resized(_ image: RGBImage, _ size: (width: Int, height: Int)) -> RGBImage {
    if size.width >= image.width {
      return Resize.nearest(image, width: size.width, height: size.height)
    }
    return Resize.image(image, width: size.width, height: size.height)
  }
}
