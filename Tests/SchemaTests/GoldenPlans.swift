import Schema

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
    var seed: Int64
    var rank: Int
    var world: Int
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

  static func plans() throws -> [PlanVector] {
    let cases: [(size: Int, counts: [Int], seed: Int64, world: Int)] = [
      (1, [1], 0, 1), (4, [3, 2], 7, 1), (32, [60, 41, 17, 2, 5], 7, 1),
      (3, [4, 1, 9, 2, 6, 5, 3], 11, 1), (8, [10, 20, 30], (1 << 53) - 1, 3),
      (10, Array(1...24), 20_230_105, 8),
    ]
    return try cases.flatMap { entry in
      try (0..<entry.world).map { rank in
        let categories = try entry.counts.enumerated().map { index, count in
          PlanVector.Category(category: try CategoryName("category \(index)"), count: count)
        }
        let plan = try BatchPlan(
          batchSize: entry.size, categories: categories.map { ($0.category, $0.count) },
          seed: entry.seed, rank: rank, world: entry.world)
        let numbers = [0, 1, 2, 3, 50, 1_000_003, Limits.standard.maximumBatchNumber]
        return PlanVector(
          batchSize: entry.size, categories: categories, seed: entry.seed, rank: rank,
          world: entry.world, epochBatches: plan.epochBatchCount,
          batches: numbers.map { number in
            PlanVector.Batch(
              k: number,
              draws: plan.draws(batch: number).map { [$0.category, $0.item, $0.epoch] })
          })
      }
    }
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
