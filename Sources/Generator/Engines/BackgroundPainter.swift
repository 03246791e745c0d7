import Imaging
import Schema

/// Paints backgrounds: a number from 0 to 255 for each pixel, looked up in a ramp of colours.
struct BackgroundPainter {
  private let side: Int
  private let colors: [RGBColor]
  private let noiseKey: UInt64
  private let turn: Int
  private(set) var pixels: [UInt8]

  init(side: Int, colors: [RGBColor], noiseKey: UInt64, turn: Int) {
    self.side = side
    self.colors = colors
    self.noiseKey = noiseKey
    self.turn = turn
    pixels = [UInt8](repeating: 0, count: side * side * 3)
  }

  mutating func paint(_ kind: Background.Kind) {
    switch kind {
    case .grass: paintMixed(noise(9, 7), 2, noise(40, 14), 4, grain(), 2)
    case .sand: paintMixed(noise(3, 9), 4, grain(), 3, noise(24, 24), 1)
    case .water: paintMixed(noise(4, 18), 4, noise(10, 44), 3, noise(2, 2), 1)
    case .snow: paintMixed(noise(3, 5), 5, noise(12, 16), 2, grain(), 1)
    case .speckles: paintMixed(noise(7, 7), 2, noise(30, 30), 5, grain(), 1)
    case .wall: paintMixed(noise(2, 2), 5, noise(9, 9), 2, grain(), 1)
    case .forest: paintMixed(noise(22, 3), 5, noise(30, 30), 2, grain(), 1)
    case .sky: paintSky()
    case .sunset: paintSunset()
    case .night: paintNight()
    case .road: paintRoad()
    case .wood: paintWood()
    case .brick: paintBlocks(columns: 5, rows: 11, shifted: true, joint: 3)
    case .stone: paintBlocks(columns: 4, rows: 5, shifted: true, joint: 3)
    case .tiles: paintBlocks(columns: 6, rows: 6, shifted: false, joint: 2)
    case .checks: paintChecks()
    case .gradient: paintGradient()
    }
  }

  /// A weighted mean of three planes; the weights sum to 8.
  private mutating func paintMixed(
    _ first: [UInt8], _ a: Int, _ second: [UInt8], _ b: Int, _ third: [UInt8], _ c: Int
  ) {
    let ramp = ramp(colors)
    for index in 0..<(side * side) {
      // Sums of noise crowd around the middle: twice the distance from it uses the whole ramp.
      let mean = (Int(first[index]) * a + Int(second[index]) * b + Int(third[index]) * c) >> 3
      set(index, ramp[max(0, min(255, 2 * mean - 128))])
    }
  }

  private mutating func paintSky() {
    let ground = ramp(Array(colors[..<2]))
    let clouds = zip(noise(4, 7), noise(11, 16)).map { (3 * Int($0) + Int($1)) >> 2 }
    let white = colors[2]
    for y in 0..<side {
      let color = ground[255 * y / side]
      for x in 0..<side {
        let cloud = max(0, min(220, (clouds[y * side + x] - 128) * 4))
        set(y * side + x, color.mixed(with: white, share: cloud))
      }
    }
  }

  private mutating func paintSunset() {
    let ramp = ramp(colors)
    let haze = noise(3, 14)
    for y in 0..<side {
      for x in 0..<side {
        let level = 255 * y / side + (Int(haze[y * side + x]) - 128) / 4
        set(y * side + x, ramp[max(0, min(255, level))])
      }
    }
  }

  private mutating func paintNight() {
    let ramp = ramp(colors)
    let haze = noise(3, 3)
    for y in 0..<side {
      for x in 0..<side {
        set(y * side + x, ramp[(255 * y / side + Int(haze[y * side + x])) >> 1])
      }
    }
    // About sixty stars of a hundredth of the side.
    var random = CounterRandom(key: noiseKey, branch: 90)
    let size = max(1, side / 100)
    for _ in 0..<60 {
      let (left, top) = (random.below(side), random.below(side))
      let light = UInt8(random.whole(140...255))
      for y in top..<min(side, top + size) {
        for x in left..<min(side, left + size) { set(y * side + x, RGBColor(light, light, light)) }
      }
    }
  }

  private mutating func paintRoad() {
    let ramp = ramp(colors)
    let rough = zip(grain(), noise(5, 5)).map { (2 * Int($0) + Int($1)) / 3 }
    let paint = turn % 2 == 0 ? RGBColor(hex: 0xE8E4D8) : RGBColor(hex: 0xE3B93A)
    let (top, height, dash) = (side * (5 + turn) / 16, max(1, side / 26), max(2, side / 5))
    for y in 0..<side {
      let isLine = y >= top && y < top + height
      for x in 0..<side {
        let isDash = isLine && (x + turn * dash / 8) % dash < dash * 3 / 5
        let color = ramp[rough[y * side + x]]
        set(y * side + x, isDash ? paint.mixed(with: color, share: 50) : color)
      }
    }
  }

  private mutating func paintWood() {
    let ramp = ramp(colors)
    let (long, fine) = (noise(3, 40), noise(9, 90))
    let plank = max(4, side / 6)
    for y in 0..<side {
      let shade = Int(mix64(noiseKey &+ UInt64(y / plank)) % 90)
      let isGap = y % plank < max(1, side / 120)
      for x in 0..<side {
        let index = y * side + x
        let level = (Int(long[index]) + Int(fine[index])) / 3 + shade
        set(index, isGap ? ramp[0].mixed(with: .ink, share: 140) : ramp[min(255, level)])
      }
    }
  }

  /// Blocks in rows with joints between; the last colour is the joint's.
  private mutating func paintBlocks(columns: Int, rows: Int, shifted: Bool, joint: Int) {
    let ramp = ramp(Array(colors.dropLast()))
    let rough = grain()
    let jointColor = colors[colors.count - 1]
    let (width, height) = (max(3, side / columns), max(3, side / rows))
    let jointWidth = max(1, side * joint / 300)
    for y in 0..<side {
      let row = y / height
      let shift = shifted && row % 2 == 1 ? width / 2 : 0
      for x in 0..<side {
        let column = (x + shift) / width
        let isJoint = y % height < jointWidth || (x + shift) % width < jointWidth
        let shade = Int(mix64(noiseKey &+ UInt64(row * 512 + column)) & 0xFF)
        let level = (shade * 3 + Int(rough[y * side + x])) >> 2
        set(y * side + x, isJoint ? jointColor : ramp[level])
      }
    }
  }

  private mutating func paintChecks() {
    let size = max(2, side / (5 + turn))
    let rough = grain()
    let middle = colors[0].mixed(with: colors[1], share: 128)
    for y in 0..<side {
      for x in 0..<side {
        let (isDarkColumn, isDarkRow) = (x / size % 2 == 0, y / size % 2 == 0)
        let color =
          isDarkColumn && isDarkRow ? colors[0] : isDarkColumn || isDarkRow ? middle : colors[1]
        set(y * side + x, color.mixed(with: .white, share: Int(rough[y * side + x]) / 8))
      }
    }
  }

  private mutating func paintGradient() {
    let ramp = ramp(colors)
    // Eight directions: both axes and both diagonals, either way.
    let steps = [(2, 0), (0, 2), (1, 1), (1, -1), (-2, 0), (0, -2), (-1, -1), (-1, 1)]
    let (dx, dy) = steps[turn]
    let start = (dx < 0 ? -dx : 0) + (dy < 0 ? -dy : 0)
    for y in 0..<side {
      for x in 0..<side {
        let level = 255 * (start * (side - 1) + x * dx + y * dy) / (2 * (side - 1))
        set(y * side + x, ramp[level])
      }
    }
  }

  /// 256 colours that run through those given.
  private func ramp(_ colors: [RGBColor]) -> [RGBColor] {
    (0..<256).map { level in
      let place = level * (colors.count - 1)
      let left = min(place / 255, max(0, colors.count - 2))
      let share = (place - left * 255) * 256 / 255
      return colors[left].mixed(with: colors[min(left + 1, colors.count - 1)], share: share)
    }
  }

  /// Smooth noise of so many cells across and down, 0 to 255.
  private func noise(_ columns: Int, _ rows: Int) -> [UInt8] {
    let (cellColumns, cellRows) = (min(columns, side), min(rows, side))
    let stride = cellColumns + 2
    var random = CounterRandom(
      key: noiseKey, branch: UInt64(columns * 1024 + rows))
    let lattice = (0..<(stride * (cellRows + 2))).map { _ in Int(random.next() >> 56) }
    let across = (0..<side).map { Self.place($0, cells: cellColumns, side: side) }
    var plane = [UInt8](repeating: 0, count: side * side)
    var line = [Int](repeating: 0, count: stride)
    for y in 0..<side {
      let (row, down) = Self.place(y, cells: cellRows, side: side)
      for column in 0..<stride {
        let (upper, lower) = (lattice[row * stride + column], lattice[(row + 1) * stride + column])
        line[column] = upper * 256 + (lower - upper) * down
      }
      for x in 0..<side {
        let (column, share) = across[x]
        let value = line[column] * 256 + (line[column + 1] - line[column]) * share
        plane[y * side + x] = UInt8(truncatingIfNeeded: value >> 16)
      }
    }
    return plane
  }

  /// The cell that a pixel lies in, and how far, in 256 parts, eased at both ends.
  private static func place(_ index: Int, cells: Int, side: Int) -> (Int, Int) {
    let place = index * cells * 256 / side
    let share = place & 0xFF
    return (place >> 8, share * share * (768 - 2 * share) >> 16)
  }

  /// Noise of single pixels, of two by two at 512 and so on.
  private func grain() -> [UInt8] {
    let size = max(1, side / 256)
    let columns = (side + size - 1) / size
    var random = CounterRandom(key: noiseKey, branch: 91)
    var plane = [UInt8](repeating: 0, count: side * side)
    for top in Swift.stride(from: 0, to: side, by: size) {
      var word: UInt64 = 0
      for column in 0..<columns {
        if column & 7 == 0 { word = random.next() }
        let value = UInt8(truncatingIfNeeded: word)
        word >>= 8
        for y in top..<min(side, top + size) {
          for x in (column * size)..<min(side, column * size + size) { plane[y * side + x] = value }
        }
      }
    }
    return plane
  }

  @inline(__always)
  private mutating func set(_ index: Int, _ color: RGBColor) {
    pixels[index &* 3] = color.red
    pixels[index &* 3 &+ 1] = color.green
    pixels[index &* 3 &+ 2] = color.blue
  }
}
