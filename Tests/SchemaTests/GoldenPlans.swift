import Schema
import TestSupport

/// The vectors in `schema/plan/golden/`: one JSON array per file, one entry per line.
enum GoldenPlans {
  /// Hashes of one number or one text; 64-bit values are hexadecimal text.
  struct HashVector: Codable, Equatable {
    var function: String
    var input: String
    var output: String
  }

  /// Where a permutation sends some indices.
  struct PermutationVector: Codable, Equatable {
    var count: Int
    var key: String
    var indices: [Int]
    var images: [Int]
  }

  /// A plan and the draws of some of its batches, each `[category, item, epoch]`.
  struct PlanVector: Codable, Equatable {
    struct Category: Codable, Equatable {
      var category: CategoryName
      var count: Int
    }
    struct Batch: Codable, Equatable {
      var k: Int
      var draws: [[Int]]
    }
    var batchSize: Int
    var categories: [Category]
    var policy: SelectionPolicy
    var weights: [Double]?
    var threshold: Double?
    var power: Double?
    var unseen: [CategoryName]?
    var unseenShare: Double?
    var edges: [String: [[Int]]]?
    var seed: Int64
    var rank: Int
    var world: Int
    var shares: [Double]
    var epochBatches: Int
    var batches: [Batch]
  }

  static func hashes() -> [HashVector] {
    let numbers: [UInt64] = [
      0, 1, 2, 0x9E37_79B9_7F4A_7C15, 1 << 32, 1 << 63, .max, 0x0123_4567_89AB_CDEF,
    ]
    let texts = ["", "a", "cat", "potted plant", "batch", "category order", "éléphant", "雲"]
    return numbers.map {
      HashVector(function: "mix64", input: hexadecimal($0), output: hexadecimal(mix64($0)))
    }
      + texts.map {
        HashVector(function: "fnv1a64", input: $0, output: hexadecimal(fnv1a64($0)))
      }
  }

  static func permutations() -> [PermutationVector] {
    let small = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 64, 100].map { ($0, Array(0..<$0)) }
    let large = [1000, 4096, 65_537, 10_000_000, 1 << 33, 1 << 40].map { count in
      (count, [0, 1, 2, count / 3, count / 2, count - 2, count - 1])
    }
    return (small + large).flatMap { count, indices in
      [UInt64(0), 0xDEAD_BEEF_CAFE_F00D].map { key in
        let permutation = KeyedPermutation(count: count, key: key)
        return PermutationVector(
          count: count, key: hexadecimal(key), indices: indices,
          images: indices.map { permutation($0) })
      }
    }
  }

  /// A plan of `plans.json` before it is worked out.
  struct PlanCase {
    var size: Int
    var counts: [Int]
    var selection = Selection.balanced
    var seed: Int64
    var world = 1
    /// Per category the epochs after which its list has grown, each to so many triplets.
    var growth: [Int: [(epochs: Int, count: Int)]] = [:]
  }

  static func plans() throws -> [PlanVector] {
    let weights = Selection.weights([5, 1, 0.25])
    let repeats = Selection.repeatFactor(threshold: 0.25, power: 0.5)
    let mixture = Selection.mixture(unseen: [1, 3], share: 0.7)
    var cases = [
      PlanCase(size: 1, counts: [1], seed: 0), PlanCase(size: 4, counts: [3, 2], seed: 7),
      PlanCase(size: 32, counts: [60, 41, 17, 2, 5], seed: 7),
      PlanCase(size: 3, counts: [4, 1, 9, 2, 6, 5, 3], seed: 11),
      PlanCase(size: 8, counts: [10, 20, 30], seed: (1 << 53) - 1, world: 3),
      PlanCase(size: 10, counts: Array(1...24), seed: 20_230_105, world: 8),
      PlanCase(size: 8, counts: [10, 3, 30], selection: .natural, seed: 7, world: 2),
      PlanCase(size: 8, counts: [10, 20, 30], selection: weights, seed: 7, world: 2),
      PlanCase(size: 8, counts: [100, 20, 3, 1], selection: repeats, seed: 7),
      PlanCase(size: 6, counts: [10, 20, 30, 4], selection: mixture, seed: 7),
      PlanCase(
        size: 4, counts: [3, 2], seed: 7, growth: [0: [(2, 5), (3, 5), (1, 8)], 1: [(1, 9)]]),
      PlanCase(
        size: 5, counts: [3, 2, 9], selection: weights, seed: 8, growth: [2: [(1, 10), (1, 12)]]),
    ]
    var random = SeededGenerator(5)
    for _ in 0..<40 { cases.append(randomCase(&random)) }
    return try cases.flatMap { entry in
      try (0..<entry.world).map { rank in try vector(entry, rank: rank) }
    }
  }

  /// A case of any policy.
  static func randomCase(_ random: inout SeededGenerator) -> PlanCase {
    let kinds = Int.random(in: 2...12, using: &random)
    let selection: Selection =
      switch Int.random(in: 0..<5, using: &random) {
      case 0: .balanced
      case 1: .natural
      case 2: .weights((0..<kinds).map { _ in Double.random(in: 0.01...9, using: &random) })
      case 3:
        .repeatFactor(
          threshold: Double.random(in: 0.01...1, using: &random),
          power: Double.random(in: 0...1, using: &random))
      default:
        .mixture(
          unseen: Set(0..<Int.random(in: 1..<kinds, using: &random)),
          share: Double.random(in: 0...1, using: &random))
      }
    return PlanCase(
      size: Int.random(in: 1...9, using: &random),
      counts: (0..<kinds).map { _ in Int.random(in: 1...300, using: &random) },
      selection: selection, seed: Int64.random(in: 0..<(1 << 53), using: &random))
  }

  private static func vector(_ entry: PlanCase, rank: Int) throws -> PlanVector {
    let categories = try entry.counts.enumerated().map { index, count in
      PlanVector.Category(category: try CategoryName("category \(index)"), count: count)
    }
    var plan = try BatchPlan(
      batchSize: entry.size, categories: categories.map { ($0.category, $0.count) },
      selection: entry.selection, seed: entry.seed, rank: rank, world: entry.world)
    var edges: [String: [[Int]]] = [:]
    for (category, steps) in entry.growth {
      for step in steps {
        let last = plan.orders[category].edges.last?.turn ?? 0
        let count = plan.orders[category].edges.last?.count ?? 0
        try plan.orders[category].grow(to: step.count, at: last + step.epochs * count)
      }
      edges[categories[category].category.text] =
        plan.orders[category].edges.map { [$0.turn, $0.count] }
    }
    let numbers = [0, 1, 2, 3, 50, 1_000_003, Limits.standard.maximumBatchNumber]
    var vector = PlanVector(
      batchSize: entry.size, categories: categories, policy: entry.selection.policy,
      edges: edges.isEmpty ? nil : edges, seed: entry.seed, rank: rank, world: entry.world,
      shares: plan.shares, epochBatches: plan.epochBatchCount,
      batches: numbers.map { number in
        PlanVector.Batch(
          k: number, draws: plan.draws(batch: number).map { [$0.category, $0.item, $0.epoch] })
      })
    switch entry.selection {
    case .balanced, .natural: break
    case .weights(let weights): vector.weights = weights
    case .repeatFactor(let threshold, let power):
      vector.threshold = threshold
      vector.power = power
    case .mixture(let unseen, let share):
      vector.unseen = unseen.sorted().map { categories[$0].category }
      vector.unseenShare = share
    }
    return vector
  }

  /// An array with one entry per line.
  static func text(_ entries: [some Encodable]) throws -> [UInt8] {
    let lines = try entries.map { String(decoding: try JSONText.encode($0), as: UTF8.self) }
    return Array(("[\n" + lines.joined(separator: ",\n") + "\n]\n").utf8)
  }

  private static func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
