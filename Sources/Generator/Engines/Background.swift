import Imaging

/// A painted ground for a scene: what it is, in which colours, from which noise.
package struct Background: Sendable {
  /// The kinds of grounds.
  package enum Kind: String, Sendable, CaseIterable {
    case grass, sand, water, sky, night, road, wall, snow, brick, wood, tiles, sunset, forest
    case stone, gradient, speckles, checks
  }

  /// What it is.
  package let kind: Kind
  private let colors: [RGBColor]
  private let colorName: String
  private let noiseKey: UInt64
  private let turn: Int

  /// Chooses a kind and its colours.
  init(random: CounterRandom) {
    var random = random
    let kind = Kind.allCases[random.below(Kind.allCases.count)]
    self.init(kind: kind, random: random)
  }

  /// Chooses the colours of a kind.
  package init(kind: Kind, seed: UInt64) {
    self.init(kind: kind, random: CounterRandom(key: seed))
  }

  private init(kind: Kind, random: CounterRandom) {
    var random = random
    self.kind = kind
    let named = Self.namedColors[random.below(Self.namedColors.count)]
    colorName = named.name
    let base =
      kind == .gradient ? named.shades : kind.palettes[random.below(kind.palettes.count)]
    let light = random.whole(-20...20)
    colors = base.map { RGBColor(hex: $0) }.map { color in
      color.mixed(with: light < 0 ? RGBColor(0, 0, 0) : .white, share: abs(light))
    }
    noiseKey = random.next()
    turn = random.below(8)
  }

  /// The words of the prompt, such as `on the grass`.
  package var place: String {
    switch kind {
    case .grass: "on the grass"
    case .sand: "on the sand"
    case .water: "on the water"
    case .sky: "in the sky"
    case .night: "at night"
    case .road: "on the road"
    case .wall: "in front of a wall"
    case .snow: "in the snow"
    case .brick: "in front of a brick wall"
    case .wood: "on a wooden floor"
    case .tiles: "on a tiled floor"
    case .sunset: "at sunset"
    case .forest: "in the forest"
    case .stone: "on a stone floor"
    case .gradient: "on a \(colorName) background"
    case .speckles: "on a speckled background"
    case .checks: "on a checkered cloth"
    }
  }

  /// Paints it: `[side, side, 3]`.
  func painted(side: Int) -> [UInt8] {
    var painter = BackgroundPainter(side: side, colors: colors, noiseKey: noiseKey, turn: turn)
    painter.paint(kind)
    return painter.pixels
  }

  private static let namedColors: [(name: String, shades: [UInt32])] = [
    ("red", [0xD0342C, 0x8E1B1B]), ("orange", [0xF59A3C, 0xD66A12]),
    ("yellow", [0xF7DE6B, 0xE2B93B]), ("green", [0x6CBF6A, 0x2F7D3B]),
    ("blue", [0x6EA8E5, 0x2457A6]), ("purple", [0xA582D6, 0x5F3A99]),
    ("pink", [0xF6B6CC, 0xE07FA5]), ("gray", [0xC4C8CC, 0x83898F]),
    ("white", [0xFFFFFF, 0xE4E6E8]), ("black", [0x36393D, 0x121315]),
  ]
}

extension Background.Kind {
  /// Colours to choose from: each a ramp of two or more, some with a colour of their own behind it.
  fileprivate var palettes: [[UInt32]] {
    switch self {
    case .grass: [[0x2E5E1E, 0x4F8A2B, 0x8DBB4A], [0x3C5B22, 0x6B8E34, 0xA8B95A]]
    case .sand: [[0xC9A86A, 0xDCC08A, 0xEEDCB0], [0xB99563, 0xD2B080, 0xE9D3A9]]
    case .water: [[0x0E4D7A, 0x2380AE, 0x8CCBE0], [0x11606B, 0x2C96A0, 0xA4DDDC]]
    case .sky: [[0x3F86D2, 0x8DBDEB, 0xFFFFFF], [0x6499C8, 0xB5CFE4, 0xF4F6F8]]
    case .night: [[0x060A1E, 0x101A3C, 0x27305E], [0x0A0A14, 0x171A2B, 0x2F2D46]]
    case .road: [[0x3A3C40, 0x55585C, 0x73767A], [0x4A4743, 0x66625D, 0x85807A]]
    case .wall:
      [[0xC8B9A0, 0xDDD1BC], [0xA9BBC4, 0xC5D3DA], [0xB7C4A4, 0xD2DCC3], [0xCFA79C, 0xE3C6BD]]
    case .snow: [[0xC9D6E6, 0xE6EDF5, 0xFFFFFF], [0xD5DBE3, 0xECEFF3, 0xFDFDFD]]
    case .brick:
      [[0x7E3326, 0xA8503C, 0xC27358, 0xCDC5BA], [0x6B3A30, 0x8F5546, 0xAE7763, 0x99938C]]
    case .wood: [[0x6D4526, 0x956438, 0xB98650], [0x8A6A48, 0xB08F66, 0xD0B58D]]
    case .tiles: [[0xC9D3D6, 0xE4EBED, 0x8A9599], [0xC8B39B, 0xE2D3BF, 0x8F7F6C]]
    case .sunset:
      [[0x3B2A63, 0xB5476A, 0xF48A4B, 0xFBD47A], [0x2C2F5B, 0x8A4F8F, 0xE97C6A, 0xF9C97E]]
    case .forest:
      [[0x14260F, 0x2C4A1D, 0x4E6B2C, 0x6E8A45], [0x1D2415, 0x3A3A22, 0x5A5A32, 0x7F8A4E]]
    case .stone:
      [[0x6F7072, 0x8E9092, 0xAEB0B2, 0x505153], [0x7A7268, 0x98907F, 0xB6AE9E, 0x575048]]
    case .speckles:
      [
        [0x1D4E89, 0x7BB0DB, 0xF2E9D0], [0x7B2D43, 0xD98BA0, 0xF7E9E3],
        [0x2F5D50, 0x8CC0A8, 0xF4EBD2],
      ]
    case .checks: [[0xC23B3B, 0xF6EFE6], [0x3569A8, 0xF2F3F0], [0x4D8A57, 0xF3F2E4]]
    case .gradient: []
    }
  }
}
