/// One place in a batch: the category it is drawn for and which of its triplets.
public struct Draw: Sendable, Equatable {
  /// Position among the plan's categories.
  public let category: Int
  /// Position in the category's list.
  public let item: Int
  /// How often the category has been gone through completely before this draw.
  public let epoch: Int
  /// Triplets that the category has in that epoch.
  public let count: Int

  /// Creates a draw.
  public init(category: Int, item: Int, epoch: Int = 0, count: Int = 0) {
    self.category = category
    self.item = item
    self.epoch = epoch
    self.count = count
  }
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
  /// How the categories share the draws.
  public let selection: Selection
  /// The stream's seed.
  public let seed: Int64
  /// This reader's number, in `0..<world`.
  public let rank: Int
  /// How many readers share each batch.
  public let world: Int
  /// How the triplets of each category follow each other.
  ///
  /// Replaced where a stream follows its store; policy `natural` does without.
  public var orders: [ItemOrder]

  private let schedule: Schedule
  private let batchKey: PlanKey

  /// Creates a plan.
  ///
  /// - Throws: ``SchemaError/Code/invalidArgument`` when a number is outside its range, a category
  ///   has no triplet or is there twice.
  public init(
    batchSize: Int, categories: [(name: CategoryName, count: Int)],
    selection: Selection = .balanced, seed: Int64, rank: Int = 0, world: Int = 1,
    limits: Limits = .standard
  ) throws(SchemaError) {
    try Self.check(batchSize, categories, seed, rank, world, limits)
    schedule = try Self.schedule(selection, categories.map(\.count), seed)
    self.batchSize = batchSize
    self.categories = categories
    self.selection = selection
    self.seed = seed
    self.rank = rank
    self.world = world
    orders = categories.map { ItemOrder($0.name, count: $0.count, seed: seed) }
    batchKey = PlanKey(seed: seed, "batch")
  }

  /// The slots of each batch that this rank gets.
  public var slots: Range<Int> {
    (batchSize * rank / world)..<(batchSize * (rank + 1) / world)
  }

  /// The draws of this rank in batch `number`.
  ///
  /// - Precondition: `number` is 0 to ``Limits/maximumBatchNumber``.
  public func draws(batch number: Int) -> [Draw] {
    positions(batch: number).map { position in
      if case .natural(let order) = schedule { return order.draw(position) }
      let (category, turn) = place(position)
      let (item, epoch, count) = orders[category].item(turn)
      return Draw(category: category, item: item, epoch: epoch, count: count)
    }
  }

  /// The last turn of each category that this rank draws in batch `number`; nil for a category that
  /// it does not draw, and for all under policy `natural`, which has no turns.
  ///
  /// - Precondition: `number` is 0 to ``Limits/maximumBatchNumber``.
  public func lastTurns(batch number: Int) -> [Int?] {
    var turns = [Int?](repeating: nil, count: categories.count)
    if case .natural = schedule { return turns }
    for position in positions(batch: number) {
      let (category, turn) = place(position)
      turns[category] = max(turn, turns[category] ?? 0)
    }
    return turns
  }

  /// The part of all draws, in the long run, that each category gets.
  public var shares: [Double] {
    switch schedule {
    case .balanced(_, let count): Array(repeating: 1 / Double(count), count: count)
    case .shares(let schedule): schedule.shares.map { Double($0) / Double(ShareSchedule.cycle) }
    case .natural(let order): categories.map { Double($0.count) / Double(order.total) }
    }
  }

  /// The probability that one draw of the stream is a given triplet of `category`, of which there
  /// are `count`; as many as in the snapshot when nil.
  public func probability(category: Int, count: Int? = nil) -> Double {
    let count = Double(count ?? categories[category].count)
    switch schedule {
    case .balanced(_, let kinds): return 1 / (Double(kinds) * count)
    case .shares(let schedule):
      return Double(schedule.shares[category]) / (Double(ShareSchedule.cycle) * count)
    case .natural(let order): return 1 / Double(order.total)
    }
  }

  /// Batches until every category of the snapshot has been gone through at least once.
  public var epochBatchCount: Int {
    let counts = categories.map(\.count)
    let positions =
      switch schedule {
      case .balanced(_, let kinds): (counts.max() ?? 1) * kinds
      case .natural(let order): order.total
      case .shares(let schedule):
        counts.indices.map { schedule.positions(category: $0, draws: counts[$0]) }.max() ?? 1
      }
    return (positions + batchSize - 1) / batchSize
  }

  private func positions(batch number: Int) -> some Collection<Int> {
    precondition(
      number >= 0 && number <= Limits.standard.maximumBatchNumber, "batch number \(number)")
    let shuffle = KeyedPermutation(count: batchSize, key: batchKey(number))
    return slots.lazy.map { number * batchSize + shuffle($0) }
  }

  private func place(_ position: Int) -> (category: Int, turn: Int) {
    switch schedule {
    case .balanced(let order, let count): (order(position % count), position / count)
    case .shares(let schedule): schedule.place(position)
    case .natural: preconditionFailure("policy natural has no turns")
    }
  }
}

extension BatchPlan {
  private static func check(
    _ batchSize: Int, _ categories: [(name: CategoryName, count: Int)], _ seed: Int64, _ rank: Int,
    _ world: Int, _ limits: Limits
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
  }

  private static func schedule(
    _ selection: Selection, _ counts: [Int], _ seed: Int64
  ) throws(SchemaError) -> Schedule {
    if let proportions = try selection.proportions(counts) {
      return .shares(ShareSchedule(shares: ShareSchedule.shares(proportions), seed: seed))
    }
    guard selection == .natural else {
      let key = PlanKey(seed: seed, "category order")
      return .balanced(
        KeyedPermutation(count: counts.count, key: key(0)), count: counts.count)
    }
    let order = NaturalOrder(counts, seed: seed)
    guard order.total <= NaturalOrder.maximumCount else {
      throw SchemaError(
        .invalidArgument,
        "\(order.total) pairs of category and triplet; policy natural takes at most "
          + "\(NaturalOrder.maximumCount)")
    }
    return .natural(order)
  }
}
