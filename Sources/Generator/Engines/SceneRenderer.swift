import Schema

/// Draws sprites over a background and keeps, for each, how much of every pixel it makes up.
///
/// Going from back to front, with alpha and colours in 0 to 255: a sprite's pixel `c` of alpha `a`
/// turns what is below it into `c + round(below * (255 - a) / 255)`, its own weight at that pixel
/// becomes `a`, and the weight of every object below is multiplied by `(255 - a) / 255` and rounded.
/// An object's mask holds the pixels where its weight in the end is 128 or more.
struct SceneRenderer {
  private let side: Int
  private(set) var pixels: [UInt8]
  private var weights: [[UInt8]] = []
  private var columns: [Range<Int>] = []
  private var rows: [Range<Int>] = []
  /// For each object, how many pixels it would have if nothing were in front of it.
  private(set) var unhiddenCounts: [Int] = []

  /// Begins with a background, `[side, side, 3]`.
  init(background: [UInt8], side: Int) {
    self.side = side
    pixels = background
  }

  /// Draws a sprite in front of all so far.
  mutating func draw(_ sprite: PlacedSprite) {
    var weight = [UInt8](repeating: 0, count: side * side)
    let level = sprite.level
    let (columnLimit, rowLimit) = (level.width - 1, level.height - 1)
    var unhidden = 0
    for y in sprite.rows {
      var u = sprite.u0 &+ sprite.columns.lowerBound &* sprite.du.x &+ y &* sprite.du.y
      var v = sprite.v0 &+ sprite.columns.lowerBound &* sprite.dv.x &+ y &* sprite.dv.y
      for x in sprite.columns {
        let (column, row) = (u >> 16, v >> 16)
        if column >= 0 && column < columnLimit && row >= 0 && row < rowLimit {
          let at = row &* level.width &+ column
          let share = UInt64(truncatingIfNeeded: (u >> 8) & 0xFF)
          let upper = PixelLanes.mixed(
            PixelLanes.spread(level.pixels[at]), PixelLanes.spread(level.pixels[at &+ 1]),
            share: share)
          let lower = PixelLanes.mixed(
            PixelLanes.spread(level.pixels[at &+ level.width]),
            PixelLanes.spread(level.pixels[at &+ level.width &+ 1]), share: share)
          let mixed = PixelLanes.mixed(
            upper, lower, share: UInt64(truncatingIfNeeded: (v >> 8) & 0xFF))
          let pixel = PixelLanes.packed(mixed)
          let alpha = pixel >> 24
          if alpha > 0 {
            let index = y &* side &+ x
            blend(pixel, alpha, at: index, gains: sprite.gains)
            weight[index] = UInt8(truncatingIfNeeded: alpha)
            if alpha >= 128 { unhidden &+= 1 }
          }
        }
        u &+= sprite.du.x
        v &+= sprite.dv.x
      }
    }
    dim(by: weight, columns: sprite.columns, rows: sprite.rows)
    weights.append(weight)
    columns.append(sprite.columns)
    rows.append(sprite.rows)
    unhiddenCounts.append(unhidden)
  }

  /// The mask of each object, in the order of drawing.
  func masks() -> [BinaryMask] {
    weights.map { weight in
      var values = [UInt8](repeating: 0, count: weight.count)
      for index in 0..<weight.count { values[index] = weight[index] >> 7 }
      return BinaryMask(width: side, height: side, values: values)
    }
  }

  @inline(__always)
  private mutating func blend(
    _ pixel: UInt32, _ alpha: UInt32, at index: Int,
    gains: (red: UInt32, green: UInt32, blue: UInt32)
  ) {
    let rest = 255 &- alpha
    let red = min(alpha, ((pixel & 0xFF) &* gains.red &+ 128) >> 8)
    let green = min(alpha, ((pixel >> 8 & 0xFF) &* gains.green &+ 128) >> 8)
    let blue = min(alpha, ((pixel >> 16 & 0xFF) &* gains.blue &+ 128) >> 8)
    let at = index &* 3
    pixels[at] = UInt8(truncatingIfNeeded: red &+ Self.scaled(pixels[at], rest))
    pixels[at &+ 1] = UInt8(truncatingIfNeeded: green &+ Self.scaled(pixels[at &+ 1], rest))
    pixels[at &+ 2] = UInt8(truncatingIfNeeded: blue &+ Self.scaled(pixels[at &+ 2], rest))
  }

  /// Takes from the objects below what the new one hides.
  private mutating func dim(by cover: [UInt8], columns: Range<Int>, rows: Range<Int>) {
    for object in 0..<weights.count {
      let across = columns.clamped(to: self.columns[object])
      let down = rows.clamped(to: self.rows[object])
      for y in down {
        for index in (y * side + across.lowerBound)..<(y * side + across.upperBound)
        where cover[index] > 0 {
          weights[object][index] = UInt8(
            truncatingIfNeeded: Self.scaled(weights[object][index], 255 &- UInt32(cover[index])))
        }
      }
    }
  }

  /// `round(value * share / 255)` without a division.
  @inline(__always)
  private static func scaled(_ value: UInt8, _ share: UInt32) -> UInt32 {
    let product = UInt32(value) &* share &+ 128
    return (product &+ product >> 8) >> 8
  }
}
