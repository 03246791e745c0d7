/// Which part of an image an item of a batch shows, and whether it is mirrored.
///
/// A pure function of the stream's seed and the item's place, in integers: `schema/README.md`
/// writes the arithmetic down, so that any client can recompute it.
public struct Augmentation: Sendable, Equatable {
  /// What a stream asks for.
  public struct Request: Sendable, Equatable {
    /// Whether half of the items are mirrored.
    public let flips: Bool
    /// Lowest and highest share of the area of a crop, in 1/65536.
    public let crop: ClosedRange<Int>?

    /// Creates a request.
    ///
    /// - Throws: ``SchemaError/Code/invalidArgument`` when `crop` is not two shares above 0 to 1,
    ///   the lower first.
    public init(flip: Bool, crop: [Double]?) throws(SchemaError) {
      flips = flip
      guard let crop else {
        self.crop = nil
        return
      }
      guard crop.count == 2, crop[0] > 0, crop[0] <= crop[1], crop[1] <= 1 else {
        throw SchemaError(
          .invalidArgument, "crop is \(crop.prefix(4)); expected [low, high], 0 < low <= high <= 1")
      }
      let units = crop.map { max(1, Int(($0 * 65536 + 0.5).rounded(.down))) }
      self.crop = units[0]...units[1]
    }

    /// Whether items stay as they are.
    public var isEmpty: Bool { !flips && crop == nil }
  }

  /// Left edge of the part, in pixels.
  public var x: Int
  /// Upper edge.
  public var y: Int
  /// Columns of the part.
  public var width: Int
  /// Rows of the part.
  public var height: Int
  /// Whether left and right change places.
  public var isFlipped: Bool

  /// Tries until a crop is given up for the largest one in the middle.
  private static let attemptCount: UInt64 = 10

  /// `round(65536 * (4/3)^((i - 16) / 16))`: aspect ratios from 3/4 to 4/3, evenly in their
  /// logarithm.
  public static let aspects: [Int] = [
    49152, 50044, 50952, 51876, 52817, 53776, 54751, 55744, 56756, 57786, 58834, 59901, 60988,
    62095, 63221, 64368, 65536, 66725, 67936, 69168, 70423, 71701, 73002, 74326, 75674, 77047,
    78445, 79868, 81317, 82793, 84295, 85824, 87381,
  ]

  /// The whole image.
  public init(whole width: Int, _ height: Int) {
    (x, y, self.width, self.height, isFlipped) = (0, 0, width, height, false)
  }

  /// What is shown of an image of `width` by `height` pixels in slot `slot` of batch `batch`.
  ///
  /// - Precondition: sides are 1 to 16384.
  public init(
    _ request: Request, seed: Int64, batch: Int, batchSize: Int, slot: Int, width: Int,
    height: Int
  ) {
    precondition((1...16384).contains(width) && (1...16384).contains(height), "\(width)x\(height)")
    self.init(whole: width, height)
    guard !request.isEmpty else { return }
    let number = UInt64(batch) &* UInt64(batchSize) &+ UInt64(slot)
    let key = mix64(mix64(mix64(UInt64(bitPattern: seed)) ^ fnv1a64("augment")) &+ number)
    func random(_ index: UInt64) -> UInt64 { mix64(key &+ index &* 0x9E37_79B9_7F4A_7C15) }
    isFlipped = request.flips && random(0) >> 63 == 1
    if let crop = request.crop { take(crop, width, height, random) }
  }

  private mutating func take(
    _ crop: ClosedRange<Int>, _ width: Int, _ height: Int, _ random: (UInt64) -> UInt64
  ) {
    for attempt in 0..<Self.attemptCount {
      let (shape, place) = (random(2 * attempt + 1), random(2 * attempt + 2))
      let shares = UInt64(crop.upperBound - crop.lowerBound + 1)
      let share = UInt64(crop.lowerBound) + ((shape >> 32) * shares) >> 32
      let which = Int(((shape & 0xFFFF_FFFF) * UInt64(Self.aspects.count)) >> 32)
      let area = UInt64(width * height) * share
      let wide = roundedRoot(area, Self.aspects[which])
      let high = roundedRoot(area, Self.aspects[Self.aspects.count - 1 - which])
      guard (1...width).contains(wide), (1...height).contains(high) else { continue }
      x = Int(((place >> 32) * UInt64(width - wide + 1)) >> 32)
      y = Int(((place & 0xFFFF_FFFF) * UInt64(height - high + 1)) >> 32)
      (self.width, self.height) = (wide, high)
      return
    }
    if 4 * width < 3 * height {
      self.height = min(height, (8 * width + 3) / 6)
    } else if 3 * width > 4 * height {
      self.width = min(width, (8 * height + 3) / 6)
    }
    (x, y) = ((width - self.width) / 2, (height - self.height) / 2)
  }

  /// `round(sqrt(area / 2^16 * aspect / 2^16))`, for `area` up to 2^44.
  private func roundedRoot(_ area: UInt64, _ aspect: Int) -> Int {
    let square = (area * UInt64(aspect)) >> 30
    var root: UInt64 = 0
    for bit in stride(from: 20, through: 0, by: -1) {
      let next = root | 1 << UInt64(bit)
      if next * next <= square { root = next }
    }
    return Int((root + 1) / 2)
  }
}
