/// Draws of categories in fixed shares of every 65,536, spread evenly, in constant time.
///
/// Each cycle of 65,536 positions visits every value of 0..<65536 once, in bit-reversed order (van
/// der Corput's sequence) under an exclusive or that depends on the cycle; the category is the one
/// into whose interval the value falls. Counts are exact at the end of a cycle and at most
/// 16 / 3 + 1 away from even at any position (Béjian and Faure, "Discrépance de la suite de van der
/// Corput", 1977; digital shifts do not enlarge it).
struct ShareSchedule: Sendable {
  /// What all shares sum to, and the positions in a cycle.
  static let cycle = 1 << bits
  private static let bits = 16

  /// Draws of each category in a cycle.
  let shares: [Int]
  /// Where each category's interval begins, and 65,536.
  private let bounds: [Int]
  private let key: PlanKey

  /// A schedule with these shares.
  ///
  /// - Precondition: each is at least 1 and their sum is ``cycle``.
  init(shares: [Int], seed: Int64) {
    precondition(
      shares.allSatisfy { $0 >= 1 } && shares.reduce(0, +) == Self.cycle, "shares \(shares)")
    self.shares = shares
    bounds = shares.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    key = PlanKey(seed: seed, "shares")
  }

  /// The category at `position` and how often it came before.
  func place(_ position: Int) -> (category: Int, turn: Int) {
    let (cycle, offset) = (position / Self.cycle, position % Self.cycle)
    let mask = mask(cycle)
    let category = category(Self.reversed(offset) ^ mask)
    let before =
      visits(offset, mask, below: bounds[category + 1])
      - visits(offset, mask, below: bounds[category])
    return (category, cycle * shares[category] + before)
  }

  /// The least number of positions in which `category` comes `draws` times.
  func positions(category: Int, draws: Int) -> Int {
    guard draws > 0 else { return 0 }
    let share = shares[category]
    let (cycle, rest) = ((draws - 1) / share, (draws - 1) % share + 1)
    let mask = mask(cycle)
    var (low, high) = (rest, Self.cycle)
    while low < high {
      let middle = (low + high) / 2
      let count =
        visits(middle, mask, below: bounds[category + 1])
        - visits(middle, mask, below: bounds[category])
      if count >= rest { high = middle } else { low = middle + 1 }
    }
    return cycle * Self.cycle + low
  }

  private func mask(_ cycle: Int) -> Int { Int(key(cycle) & UInt64(Self.cycle - 1)) }

  private static func reversed(_ offset: Int) -> Int {
    var (value, left) = (0, offset)
    for _ in 0..<bits {
      value = value << 1 | left & 1
      left >>= 1
    }
    return value
  }

  /// The interval that holds `value`.
  private func category(_ value: Int) -> Int {
    var (low, high) = (0, shares.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if bounds[middle] <= value { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// How many of the first `length` values of a cycle lie below `bound`.
  ///
  /// The first `length` offsets are one block of 2^j for each bit j of `length`; a block's values
  /// are evenly 2^(16 - j) apart, so those below a bound are counted by a division.
  private func visits(_ length: Int, _ mask: Int, below bound: Int) -> Int {
    // `start` is where a block begins, its bits in reverse order.
    var (count, start) = (0, 0)
    for bit in (0...Self.bits).reversed() where length >> bit & 1 == 1 {
      let width = Self.bits - bit
      let step = 1 << width
      let first = (start ^ mask) & (step - 1)
      count += (bound - first + step - 1) >> width
      start |= Self.cycle >> (bit + 1)
    }
    return count
  }
}

extension ShareSchedule {
  /// Whole shares of ``cycle`` in proportion to `weights`, each at least 1.
  ///
  /// Each gets the whole part of its quota; what is left goes one by one to the category that is
  /// furthest below its quota, and what the least share of 1 took too much comes from the one that
  /// is least below it. The earlier category wins a tie.
  ///
  /// - Precondition: there are 1 to ``cycle`` finite weights, none negative, one above 0.
  static func shares(_ weights: [Double]) -> [Int] {
    let largest = weights.max() ?? 0
    precondition(!weights.isEmpty && weights.count <= cycle && largest > 0, "weights \(weights)")
    let scaled = weights.map { $0 / largest }
    let total = scaled.reduce(0, +)
    let quotas = scaled.map { Double(cycle) * ($0 / total) }
    var shares = quotas.map { max(1, Int($0.rounded(.down))) }
    func lack(_ category: Int) -> Double { quotas[category] - Double(shares[category]) }
    var left = cycle - shares.reduce(0, +)
    while left > 0 {
      var chosen = 0
      for category in shares.indices where lack(category) > lack(chosen) { chosen = category }
      shares[chosen] += 1
      left -= 1
    }
    while left < 0 {
      var chosen: Int?
      for category in shares.indices where shares[category] > 1 {
        if lack(category) < chosen.map(lack) ?? .infinity { chosen = category }
      }
      guard let chosen else { break }
      shares[chosen] -= 1
      left += 1
    }
    return shares
  }
}
