/// How a stream chooses triplets.
public enum SelectionPolicy: String, Codable, Sendable, CaseIterable {
  /// Every category equally often, exactly.
  case balanced
  /// As often as the store has triplets of a category: every triplet of each once in an epoch.
  case natural
  /// In proportion to given weights.
  case weights
  /// Rare categories more often than their stock says (LVIS: Gupta et al., CVPR 2019).
  case repeatFactor = "repeat-factor"
  /// Two groups of categories in a given proportion, each balanced.
  case mixture
}

/// One place in a batch: the category it is drawn for and which of its triplets.
public struct Draw: Sendable, Equatable {
  /// Position among the plan's categories.
  public let category: Int
  /// Position in the snapshot's list of that category.
  public let item: Int
  /// How often the category has been gone through completely before this draw.
  public let epoch: Int
}

/// The order of a stream, computable at any position.
///
/// Batch `k` is a pure function of the plan: no cursor, no state, so a retry, a resume and a
/// reconnect all ask for the same number and get the same draws. `schema/README.md` has the
/// arithmetic.
public struct BatchPlan: Sendable {
  /// Triplets in one batch over all ranks.
  public let batchSize: Int
  /// Per category its name and the length of its list in the snapshot, in the stream's order.
  public let categories: [(name: CategoryName, count: Int)]
  /// The stream's seed.
  public let seed: Int64
  /// This reader's number, in `0..<world`.
  public let rank: Int
  /// How many readers share each batch.
  public let world: Int

  private let order: KeyedPermutation

  /// Creates a plan.
  ///
  /// - Throws: ``SchemaError/Code/invalidArgument`` when a number is outside its range, a category
  ///   has no triplet or is there twice.
  public init(
    batchSize: Int, categories: [(name: CategoryName, count: Int)], seed: Int64, rank: Int = 0,
    world: Int = 1, limits: Limits = .standard
  ) throws(SchemaError) {
    func refused(_ message: String) -> SchemaError { SchemaError(.invalidArgument, message) }
    guard (1...limits.maximumBatchSize).contains(batchSize) else {
      throw refused("batch_size is \(batchSize); expected 1 to \(limits.maximumBatchSize)")
    }
    guard (1...limits.maximumCategories).contains(categories.count) else {
      throw refused(
        "\(categories.count) categories; expected 1 to \(limits.maximumCategories)")
    }
    guard world >= 1, world <= batchSize, rank >= 0, rank < world else {
      throw refused(
        "rank \(rank) of world \(world); expected world 1 to batch_size (\(batchSize)) "
          + "and rank below world")
    }
    guard (0..<(1 << 53)).contains(seed) else {
      throw refused("seed is \(seed); expected 0 to 2^53 - 1")
    }
    if let empty = categories.first(where: { $0.count < 1 }) {
      throw refused("category '\(empty.name)' has no triplet in the snapshot")
    }
    guard Set(categories.map(\.name)).count == categories.count else {
      throw refused("a category is listed twice")
    }
    self.batchSize = batchSize
    self.categories = categories
    self.seed = seed
    self.rank = rank
    self.world = world
    order = KeyedPermutation(
      count: categories.count, key: Self.key(seed: seed, text: "category order", number: 0))
  }

  /// The slots of each batch that this rank gets.
  public var slots: Range<Int> {
    (batchSize * rank / world)..<(batchSize * (rank + 1) / world)
  }

  /// The draws of this rank in batch `number`.
  ///
  /// - Precondition: `number` is 0 to ``Limits/maximumBatchNumber``.
  public func draws(batch number: Int) -> [Draw] {
    precondition(
      number >= 0 && number <= Limits.standard.maximumBatchNumber, "batch number \(number)")
    let shuffle = KeyedPermutation(
      count: batchSize, key: Self.key(seed: seed, text: "batch", number: number))
    var permutations: [Permuted: KeyedPermutation] = [:]
    return slots.map { slot in
      let position = number * batchSize + shuffle(slot)
      let category = order(position % categories.count)
      let turn = position / categories.count
      let (name, count) = categories[category]
      let epoch = turn / count
      let which = Permuted(category: category, epoch: epoch)
      let permutation =
        permutations[which]
        ?? KeyedPermutation(
          count: count, key: Self.key(seed: seed, text: name.text, number: epoch))
      permutations[which] = permutation
      return Draw(category: category, item: permutation(turn % count), epoch: epoch)
    }
  }

  /// The probability that one draw of the stream is a given triplet of `category`.
  public func probability(category: Int) -> Double {
    1 / (Double(categories.count) * Double(categories[category].count))
  }

  /// Batches until every category has been gone through at least once.
  public var epochBatchCount: Int {
    let longest = categories.map(\.count).max() ?? 1
    return (longest * categories.count + batchSize - 1) / batchSize
  }

  private struct Permuted: Hashable {
    let category: Int
    let epoch: Int
  }

  private static func key(seed: Int64, text: String, number: Int) -> UInt64 {
    mix64(mix64(mix64(UInt64(bitPattern: seed)) ^ fnv1a64(text)) &+ UInt64(number))
  }
}
