import Schema

/// Composes a scene a second time, pixel by pixel with plain arithmetic, and compares.
///
/// It shares the background and the placed sprites with ``SceneRenderer`` and none of its drawing:
/// each pixel is worked out by itself, from the front to the back, with divisions where the
/// renderer has shifts.
package enum SceneCheck {
  /// Compares every pixel of the image and of all masks.
  ///
  /// - Throws: ``GeneratorError/Code/inexact`` with the first difference.
  package static func verify(_ scene: Scene) throws(GeneratorError) {
    let side = scene.triplet.image.width
    let background = scene.background.painted(side: side)
    guard scene.triplet.masks.count == scene.layers.count else {
      throw GeneratorError(
        .inexact, "\(scene.triplet.masks.count) masks for \(scene.layers.count) objects")
    }
    for y in 0..<side {
      for x in 0..<side {
        let samples = scene.layers.map { sample($0, x, y) }
        let at = (y * side + x) * 3
        for channel in 0..<3 {
          var value = Int(background[at + channel])
          for sample in samples {
            value = sample[channel] + rounded(value * (255 - sample[3]), 255)
          }
          let found = Int(scene.triplet.image.pixels[at + channel])
          guard found == value else {
            throw GeneratorError(
              .inexact, "pixel (\(x), \(y)), channel \(channel): \(found), recomposed \(value)")
          }
        }
        for index in scene.layers.indices {
          var weight = samples[index][3]
          for sample in samples[(index + 1)...] {
            weight = rounded(weight * (255 - sample[3]), 255)
          }
          let found = scene.triplet.masks[scene.maskOrder[index]].mask.values[y * side + x]
          guard found == (weight >= 128 ? 1 : 0) else {
            throw GeneratorError(
              .inexact, "pixel (\(x), \(y)) of object \(index): mask \(found), weight \(weight)")
          }
        }
      }
    }
  }

  /// Red, green, blue and alpha of a sprite at a pixel of the image.
  private static func sample(_ sprite: PlacedSprite, _ x: Int, _ y: Int) -> [Int] {
    let u = sprite.u0 + x * sprite.du.x + y * sprite.du.y
    let v = sprite.v0 + x * sprite.dv.x + y * sprite.dv.y
    let (column, row) = (floorDivided(u, 65536), floorDivided(v, 65536))
    let (across, down) = (floorDivided(u, 256) - column * 256, floorDivided(v, 256) - row * 256)
    func channel(_ index: Int) -> Int {
      func pixel(_ x: Int, _ y: Int) -> Int {
        guard x >= 0, y >= 0, x < sprite.level.width, y < sprite.level.height else { return 0 }
        return Int(sprite.level.pixels[y * sprite.level.width + x] >> UInt32(8 * index)) % 256
      }
      let upper = rounded(
        pixel(column, row) * (256 - across) + pixel(column + 1, row) * across, 256)
      let lower = rounded(
        pixel(column, row + 1) * (256 - across) + pixel(column + 1, row + 1) * across, 256)
      return rounded(upper * (256 - down) + lower * down, 256)
    }
    let alpha = channel(3)
    let gains = [sprite.gains.red, sprite.gains.green, sprite.gains.blue]
    return (0..<3).map { min(alpha, rounded(channel($0) * Int(gains[$0]), 256)) } + [alpha]
  }

  /// Division rounded to the nearest, halves up; `value` is not negative.
  private static func rounded(_ value: Int, _ divisor: Int) -> Int {
    (2 * value + divisor) / (2 * divisor)
  }

  private static func floorDivided(_ value: Int, _ divisor: Int) -> Int {
    let quotient = value / divisor
    return value % divisor < 0 ? quotient - 1 : quotient
  }
}
