package import Imaging

/// One drawing of a category: premultiplied, trimmed to what is visible, at full size and halved
/// again and again.
package struct Sprite: Sendable {
  /// One size of a sprite, with a transparent border of one pixel on every side.
  struct Level: Sendable {
    /// Columns with the border.
    let width: Int
    /// Rows with the border.
    let height: Int
    /// `height * width` pixels: red in the lowest byte, then green, blue, alpha; premultiplied.
    let pixels: [UInt32]
  }

  /// Pixels along the longer side of the largest level that is kept.
  static let maximumSide = 512

  /// Where it came from, for messages and tables.
  package let name: String
  /// Columns of level 0 without the border.
  let width: Int
  /// Rows of level 0 without the border.
  let height: Int
  /// Level k shows the sprite at `1 / 2^k` of its size.
  let levels: [Level]

  /// Prepares a picture; nil when no pixel of it is at least half opaque.
  package init?(_ image: RGBAImage, name: String) {
    guard let box = Self.opaqueBox(image) else { return nil }
    var level = Self.cut(image, box)
    while max(level.width, level.height) - 2 > Self.maximumSide { level = Self.halved(level) }
    self.name = name
    width = level.width - 2
    height = level.height - 2
    var levels = [level]
    while max(level.width, level.height) - 2 > 4 {
      level = Self.halved(level)
      levels.append(level)
    }
    self.levels = levels
  }

  /// The smallest box around all pixels of alpha over 7; nil when none reaches 128.
  private static func opaqueBox(_ image: RGBAImage) -> (x: Range<Int>, y: Range<Int>)? {
    var (left, right, top, bottom) = (image.width, -1, image.height, -1)
    var highest: UInt8 = 0
    for y in 0..<image.height {
      for x in 0..<image.width {
        let alpha = image.pixels[(y * image.width + x) * 4 + 3]
        highest = max(highest, alpha)
        guard alpha > 7 else { continue }
        left = min(left, x)
        right = max(right, x)
        top = min(top, y)
        bottom = max(bottom, y)
      }
    }
    return highest >= 128 ? (left..<(right + 1), top..<(bottom + 1)) : nil
  }

  private static func cut(_ image: RGBAImage, _ box: (x: Range<Int>, y: Range<Int>)) -> Level {
    let (width, height) = (box.x.count + 2, box.y.count + 2)
    var pixels = [UInt32](repeating: 0, count: width * height)
    for y in box.y {
      for x in box.x {
        let at = (y * image.width + x) * 4
        let alpha = UInt32(image.pixels[at + 3])
        var packed = alpha << 24
        for channel in 0..<3 {
          let value = UInt32(image.pixels[at + channel])
          packed |= (value * alpha + 127) / 255 << UInt32(8 * channel)
        }
        pixels[(y - box.y.lowerBound + 1) * width + x - box.x.lowerBound + 1] = packed
      }
    }
    return Level(width: width, height: height, pixels: pixels)
  }

  /// Averages two by two pixels, rounding half up; a missing last column or row is transparent.
  private static func halved(_ level: Level) -> Level {
    let (innerWidth, innerHeight) = ((level.width - 1) / 2, (level.height - 1) / 2)
    let (width, height) = (innerWidth + 2, innerHeight + 2)
    var pixels = [UInt32](repeating: 0, count: width * height)
    for y in 0..<innerHeight {
      for x in 0..<innerWidth {
        let at = (2 * y + 1) * level.width + 2 * x + 1
        let lanes =
          PixelLanes.spread(level.pixels[at]) &+ PixelLanes.spread(level.pixels[at + 1])
          &+ PixelLanes.spread(level.pixels[at + level.width])
          &+ PixelLanes.spread(level.pixels[at + level.width + 1])
        pixels[(y + 1) * width + x + 1] = PixelLanes.packed(
          ((lanes &+ 0x0002_0002_0002_0002) >> 2) & PixelLanes.mask)
      }
    }
    return Level(width: width, height: height, pixels: pixels)
  }
}

/// Four bytes spread over the 16-bit lanes of one word, to be calculated with all at once.
enum PixelLanes {
  /// The value bits of every lane.
  static let mask: UInt64 = 0x00FF_00FF_00FF_00FF

  /// Red in lane 0, blue in lane 1, green in lane 2, alpha in lane 3.
  @inline(__always)
  static func spread(_ pixel: UInt32) -> UInt64 {
    let word = UInt64(truncatingIfNeeded: pixel)
    return (word | word << 24) & mask
  }

  /// The reverse of ``spread(_:)``; each lane must be below 256.
  @inline(__always)
  static func packed(_ lanes: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: lanes | lanes >> 24)
  }

  /// The lanes `share` of 256 parts of the way from `a` to `b`, rounded half up.
  @inline(__always)
  static func mixed(_ a: UInt64, _ b: UInt64, share: UInt64) -> UInt64 {
    ((a &* (256 &- share) &+ b &* share &+ 0x0080_0080_0080_0080) >> 8) & mask
  }
}
