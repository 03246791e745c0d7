import Schema

/// Decides what a scene shows and where.
struct ScenePlanner {
  private let library: SpriteLibrary
  private let item: WorkItem
  private let sprites: [Sprite]
  private var random: CounterRandom

  init(library: SpriteLibrary, item: WorkItem, sprites: [Sprite], random: CounterRandom) {
    self.library = library
    self.item = item
    self.sprites = sprites
    self.random = random
  }

  /// The objects from back to front; just one of the category asked for when `single`.
  mutating func layers(single: Bool) -> [PlacedSprite] {
    let count = single ? 1 : objectCount()
    var objects: [(sprite: Sprite, category: CategoryName, placement: Placement)] = []
    for index in 0..<count {
      let (category, drawings) = index == 0 ? (item.category, sprites) : choice()
      let sprite = drawings[random.below(drawings.count)]
      let placement = placement(of: sprite, among: count, avoiding: objects.map(\.placement))
      objects.append((sprite, category, placement))
    }
    var instances: [CategoryName: Int] = [:]
    var layers: [(bottom: Double, sprite: PlacedSprite)] = []
    for object in objects {
      let instance = instances[object.category, default: 0]
      instances[object.category] = instance + 1
      let gains = gains()
      let placed = object.placement.placed(
        object.sprite, category: object.category, instance: instance, side: item.imageSize,
        gains: gains)
      let bottom = object.placement.y + object.placement.halfBox(of: object.sprite).height
      layers.append((bottom, placed))
    }
    // What stands lower in the image is nearer. Swift's sort keeps the order of equals.
    return layers.sorted { $0.bottom < $1.bottom }.map(\.sprite)
  }

  /// One object in 60 % of the scenes, two in 25 %, three in 10 %, four in 5 %.
  private mutating func objectCount() -> Int {
    switch random.below(100) {
    case ..<60: 1
    case ..<85: 2
    case ..<95: 3
    default: 4
    }
  }

  /// A companion by weight, or in a quarter of the cases another of the category asked for.
  private mutating func choice() -> (CategoryName, [Sprite]) {
    let isSame = random.below(4) == 0
    let pick = random.next()
    var known: [(companion: Companion, sprites: [Sprite])] = []
    var total: UInt64 = 0
    for companion in item.companions
    where companion.weight > 0 && companion.category != item.category {
      guard let sprites = library.drawings(of: companion.category) else { continue }
      known.append((companion, sprites))
      total &+= UInt64(min(companion.weight, 1 << 32))
    }
    guard !isSame, total > 0 else { return (item.category, sprites) }
    var place = pick % total
    for (companion, sprites) in known {
      let weight = UInt64(min(companion.weight, 1 << 32))
      if place < weight { return (companion.category, sprites) }
      place -= weight
    }
    return (item.category, sprites)
  }

  /// The share of the image that the longer side of an object takes, in percent.
  private func sizes(among count: Int) -> ClosedRange<Double> {
    switch count {
    case 1: 55...95
    case 2: 40...68
    case 3: 32...54
    default: 28...46
    }
  }

  /// A place for a sprite: of three, the one that keeps most clear of those there are.
  private mutating func placement(
    of sprite: Sprite, among count: Int, avoiding others: [Placement]
  ) -> Placement {
    let side = Double(item.imageSize)
    let longer = Double(max(sprite.width, sprite.height))
    let size = random.number(sizes(among: count)) * side / 100
    let isTurned = random.below(5) == 0
    var placement = Placement(
      x: 0, y: 0, scale: size / longer,
      degrees: isTurned ? random.number(-45...45) : random.number(-12...12),
      isFlipped: random.below(2) == 1)
    let half = placement.halfBox(of: sprite)
    // Up to a tenth of the box may lie outside.
    func range(_ half: Double) -> ClosedRange<Double> {
      let inset = min(half * 0.9, side / 2)
      return inset...(side - inset)
    }
    var best = (x: 0.0, y: 0.0, distance: -1.0)
    for _ in 0..<(others.isEmpty ? 1 : 3) {
      let (x, y) = (random.number(range(half.width)), random.number(range(half.height)))
      var distance = others.isEmpty ? 0 : Double.infinity
      for other in others {
        let (across, down) = (other.x - x, other.y - y)
        distance = min(distance, across * across + down * down)
      }
      if distance > best.distance { best = (x, y, distance) }
    }
    (placement.x, placement.y) = (best.x, best.y)
    return placement
  }

  /// Brightness 80 to 112 %, each colour another 5 % up or down.
  private mutating func gains() -> (red: UInt32, green: UInt32, blue: UInt32) {
    let brightness = random.whole(205...287)
    func gain(_ tint: Int) -> UInt32 { UInt32(brightness * tint / 100) }
    return (
      gain(random.whole(95...105)), gain(random.whole(95...105)), gain(random.whole(95...105))
    )
  }
}
