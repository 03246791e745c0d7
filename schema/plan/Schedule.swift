/// Which category a position of a stream is for, and how often it came before.
enum Schedule: Sendable {
  /// Each category once in as many positions as there are categories.
  case balanced(KeyedPermutation, count: Int)
  /// Each category in its share of a cycle.
  case shares(ShareSchedule)
  /// All pairs of category and triplet in one order.
  case natural(NaturalOrder)
}

/// Every pair of category and triplet once an epoch, in an order of the epoch's own.
struct NaturalOrder: Sendable {
  /// The most pairs that a permutation holds.
  static let maximumCount = 1 << 40

  /// Pairs in an epoch.
  let total: Int
  /// Where each category's pairs begin, and their number.
  private let bounds: [Int]
  private let key: PlanKey

  /// The order over lists of these lengths.
  init(_ counts: [Int], seed: Int64) {
    bounds = counts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    total = bounds[counts.count]
    key = PlanKey(seed: seed, "natural")
  }

  /// The draw at `position`.
  func draw(_ position: Int) -> Draw {
    let (epoch, step) = position.quotientAndRemainder(dividingBy: total)
    let index = KeyedPermutation(count: total, key: key(epoch))(step)
    var (low, high) = (0, bounds.count - 2)
    while low < high {
      let middle = (low + high + 1) / 2
      if bounds[middle] <= index { low = middle } else { high = middle - 1 }
    }
    return Draw(
      category: low, item: index - bounds[low], epoch: epoch, count: bounds[low + 1] - bounds[low])
  }
}
