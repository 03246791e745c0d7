public import Schema

/// A picture that is drawn on: rectangles, lines, text and other pictures.
///
/// Whatever lies outside is cut off.
public struct Canvas: Sendable {
  /// Columns.
  public let width: Int
  /// Rows.
  public let height: Int
  private var pixels: [UInt8]

  /// An area of one colour.
  ///
  /// - Precondition: Both sides are 1 to ``Resize/maximumSide`` and the area is at most
  ///   ``PNG/maximumPixels``.
  public init(width: Int, height: Int, background: RGBColor = .white) {
    precondition(
      (1...Resize.maximumSide).contains(width) && (1...Resize.maximumSide).contains(height)
        && width * height <= PNG.maximumPixels,
      "a canvas of \(width)x\(height)")
    self.width = width
    self.height = height
    pixels = []
    pixels.reserveCapacity(width * height * 3)
    for _ in 0..<(width * height) {
      pixels.append(background.red)
      pixels.append(background.green)
      pixels.append(background.blue)
    }
  }

  /// Goes on drawing over a picture.
  public init(_ image: RGBImage) {
    width = image.width
    height = image.height
    pixels = image.pixels
  }

  /// What has been drawn.
  public var image: RGBImage { RGBImage(width: width, height: height, pixels: pixels) }

  /// Fills a rectangle, covering `share` of 256 parts of what was there.
  public mutating func fill(
    x: Int, y: Int, width: Int, height: Int, _ color: RGBColor, share: Int = 256
  ) {
    let columns = max(0, x)..<max(0, x, min(self.width, x + width))
    for row in max(0, y)..<max(0, y, min(self.height, y + height)) {
      for column in columns { blend(column, row, color, share: share) }
    }
  }

  /// Draws the four sides of a rectangle, `thickness` pixels wide, inside it.
  public mutating func frame(
    x: Int, y: Int, width: Int, height: Int, _ color: RGBColor, thickness: Int = 1
  ) {
    fill(x: x, y: y, width: width, height: thickness, color)
    fill(x: x, y: y + height - thickness, width: width, height: thickness, color)
    fill(x: x, y: y, width: thickness, height: height, color)
    fill(x: x + width - thickness, y: y, width: thickness, height: height, color)
  }

  /// Draws a straight line one pixel wide between two pixels, both included.
  public mutating func line(x0: Int, y0: Int, x1: Int, y1: Int, _ color: RGBColor) {
    let steps = max(abs(x1 - x0), abs(y1 - y0), 1)
    for step in 0...steps {
      // Rounds to the nearest pixel; both terms stay exact in integers.
      let x = x0 + ((x1 - x0) * step * 2 + steps * ((x1 >= x0) ? 1 : -1)) / (2 * steps)
      let y = y0 + ((y1 - y0) * step * 2 + steps * ((y1 >= y0) ? 1 : -1)) / (2 * steps)
      plot(x, y, color)
    }
  }

  /// Puts a picture with its upper left corner at a place.
  public mutating func draw(_ image: RGBImage, x: Int, y: Int) {
    let columns = max(0, -x)..<max(0, -x, min(image.width, width - x))
    for row in max(0, -y)..<max(0, -y, min(image.height, height - y)) {
      for column in columns {
        let from = (row * image.width + column) * 3
        let to = ((y + row) * width + x + column) * 3
        for channel in 0..<3 { pixels[to + channel] = image.pixels[from + channel] }
      }
    }
  }

  /// Sets one pixel.
  public mutating func plot(_ x: Int, _ y: Int, _ color: RGBColor) {
    guard x >= 0, x < width, y >= 0, y < height else { return }
    let at = (y * width + x) * 3
    (pixels[at], pixels[at + 1], pixels[at + 2]) = (color.red, color.green, color.blue)
  }

  private mutating func blend(_ x: Int, _ y: Int, _ color: RGBColor, share: Int) {
    guard share < 256 else { return plot(x, y, color) }
    let at = (y * width + x) * 3
    let under = RGBColor(pixels[at], pixels[at + 1], pixels[at + 2])
    plot(x, y, under.mixed(with: color, share: share))
  }
}
