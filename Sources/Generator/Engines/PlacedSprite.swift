package import Schema

/// One sprite of a scene: how each pixel of the image finds its place in the sprite, and how the
/// sprite's colours are changed.
///
/// Pixel (x, y) looks at column `u0 + x * du.x + y * du.y` and row `v0 + x * dv.x + y * dv.y` of
/// `level`, in 65536ths of a pixel. Bits 8 to 15 of either weigh the four pixels around it, across
/// first, then down, each rounded to a whole value; outside the level is transparent. A colour is then multiplied
/// by its gain of 256 parts and held at or below alpha.
package struct PlacedSprite: Sendable {
  /// What it shows.
  package let category: CategoryName
  /// Counts the objects of one category within a scene from 0.
  package let instance: Int
  let level: Sprite.Level
  let u0: Int
  let v0: Int
  let du: (x: Int, y: Int)
  let dv: (x: Int, y: Int)
  /// Red, green, blue in 256 parts.
  let gains: (red: UInt32, green: UInt32, blue: UInt32)
  /// Columns and rows of the image outside which it is transparent.
  let columns: Range<Int>
  let rows: Range<Int>
}

/// Where a sprite goes and how it is turned.
struct Placement {
  /// Middle of the sprite in pixels of the image.
  var x: Double
  var y: Double
  /// Pixels of the image per pixel of the sprite's level 0.
  var scale: Double
  /// Degrees, -180 to 180.
  var degrees: Double
  var isFlipped: Bool

  /// Half the width and half the height of the box around the turned sprite.
  func halfBox(of sprite: Sprite) -> (width: Double, height: Double) {
    let (sine, cosine) = Self.sineAndCosine(degrees)
    let (width, height) = (Double(sprite.width) * scale / 2, Double(sprite.height) * scale / 2)
    return (
      abs(cosine) * width + abs(sine) * height, abs(sine) * width + abs(cosine) * height
    )
  }

  /// The sprite in its place on a square image.
  func placed(
    _ sprite: Sprite, category: CategoryName, instance: Int, side: Int,
    gains: (red: UInt32, green: UInt32, blue: UInt32)
  ) -> PlacedSprite {
    var levelIndex = 0
    while levelIndex + 1 < sprite.levels.count, scale * Double(2 << levelIndex) <= 1 {
      levelIndex += 1
    }
    let levelScale = scale * Double(1 << levelIndex)
    let (sine, cosine) = Self.sineAndCosine(degrees)
    let mirror = isFlipped ? -1.0 : 1.0
    let du = (x: mirror * cosine / levelScale, y: mirror * sine / levelScale)
    let dv = (x: -sine / levelScale, y: cosine / levelScale)
    // The middle of level k in its own pixels; +1 for the border, -½ since pixel i lies at i + ½.
    let middleX = Double(sprite.width) / Double(2 << levelIndex) + 0.5
    let middleY = Double(sprite.height) / Double(2 << levelIndex) + 0.5
    let box = halfBox(of: sprite)
    func span(_ middle: Double, _ half: Double) -> Range<Int> {
      let margin = half + 2 + levelScale
      let low = max(0, min(side, Int((middle - margin).rounded(.down))))
      return low..<max(low, min(side, Int((middle + margin).rounded(.up))))
    }
    func fixed(_ value: Double) -> Int { Int((value * 65536).rounded()) }
    return PlacedSprite(
      category: category, instance: instance, level: sprite.levels[levelIndex],
      u0: fixed(middleX + du.x * (0.5 - x) + du.y * (0.5 - y)),
      v0: fixed(middleY + dv.x * (0.5 - x) + dv.y * (0.5 - y)),
      du: (fixed(du.x), fixed(du.y)), dv: (fixed(dv.x), fixed(dv.y)), gains: gains,
      columns: span(x, box.width), rows: span(y, box.height))
  }

  /// Sine and cosine from products and sums only, so that every machine gets the same bits.
  private static func sineAndCosine(_ degrees: Double) -> (Double, Double) {
    // An eighth of the angle is below 0.4 rad, where these series are exact to 1e-13; three
    // doublings bring the angle back.
    let angle = degrees * 3.141592653589793 / 180 / 8
    let square = angle * angle
    var sine =
      angle * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72))))
    var cosine =
      1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56)))
    for _ in 0..<3 { (sine, cosine) = (2 * sine * cosine, 1 - 2 * sine * sine) }
    return (sine, cosine)
  }
}
