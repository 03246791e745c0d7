import Schema
import Testing

/// The promises of a balanced stream, over random cases.
@Suite struct BatchPlanTests {
  /// A random (N, K, counts) and its seed.
  struct Case: Sendable, CustomTestStringConvertible {
    let batchSize: Int
    let counts: [Int]
    let seed: Int64
    var testDescription: String { "N \(batchSize), K \(counts.count), seed \(seed)" }

    func plan(rank: Int = 0, world: Int = 1) throws -> BatchPlan {
      try BatchPlan(
        batchSize: batchSize,
        categories: counts.enumerated().map { (try CategoryName("category \($0)"), $1) },
        seed: seed, rank: rank, world: world)
    }

    /// The length of the prefix that the tests look at, in batches.
    var batches: Int { counts.count * 2 + 3 }
  }

  static let cases: [Case] = {
    var random = SeededGenerator(seed: 2)
    return (0..<200).map { index in
      Case(
        batchSize: Int.random(in: 1...40, using: &random),
        counts: (0..<Int.random(in: 1...30, using: &random)).map { _ in
          Int.random(in: 1...20, using: &random)
        },
        seed: Int64.random(in: 0..<(1 << 53), using: &random))
    }
  }()

  @Test("each batch draws each category floor(N/K) or ceil(N/K) times, and so does every prefix")
  func balances() throws {
    for entry in Self.cases {
      let plan = try entry.plan()
      let (size, kinds) = (entry.batchSize, entry.counts.count)
      var totals = [Int](repeating: 0, count: kinds)
      for number in 0..<entry.batches {
        var counts = [Int](repeating: 0, count: kinds)
        for draw in plan.draws(batch: number) { counts[draw.category] += 1 }
        let (floor, ceiling) = (size / kinds, (size + kinds - 1) / kinds)
        #expect(counts.allSatisfy { $0 == floor || $0 == ceiling }, "\(entry) batch \(number)")
        #expect(counts.reduce(0, +) == size)
        for category in 0..<kinds { totals[category] += counts[category] }
        let spread = (totals.max() ?? 0) - (totals.min() ?? 0)
        let drawn = size * (number + 1)
        #expect(spread == (drawn % kinds == 0 ? 0 : 1), "\(entry) after batch \(number)")
      }
    }
  }

  @Test("counts are equal over any K batches in a row, wherever they begin")
  func balancesWindows() throws {
    for entry in Self.cases.prefix(60) {
      let plan = try entry.plan()
      let kinds = entry.counts.count
      for start in [0, 1, 7, 1_000_003, 1 << 39] {
        var counts = [Int](repeating: 0, count: kinds)
        for number in start..<(start + kinds) {
          for draw in plan.draws(batch: number) { counts[draw.category] += 1 }
        }
        #expect(counts == [Int](repeating: entry.batchSize, count: kinds), "\(entry) at \(start)")
      }
    }
  }

  @Test("every triplet of a category comes once before any comes twice, epoch after epoch")
  func goesThroughAll() throws {
    for entry in Self.cases {
      let plan = try entry.plan()
      var drawn = entry.counts.map { [Int](repeating: 0, count: $0) }
      for number in 0..<entry.batches {
        var isOncePerEpoch = true
        for draw in plan.draws(batch: number).sorted(by: { $0.epoch < $1.epoch }) {
          isOncePerEpoch = isOncePerEpoch && drawn[draw.category][draw.item] == draw.epoch
          drawn[draw.category][draw.item] += 1
        }
        let spread = drawn.map { ($0.max() ?? 0) - ($0.min() ?? 0) }.max() ?? 0
        #expect(isOncePerEpoch && spread <= 1, "\(entry) batch \(number)")
      }
    }
  }

  @Test("the union over the ranks of any world is the plan, in its order")
  func sharesOut() throws {
    for entry in Self.cases.prefix(100) {
      let whole = try entry.plan()
      for world in 1...8 where world <= entry.batchSize {
        let parts = try (0..<world).map { try entry.plan(rank: $0, world: world) }
        let sizes = parts.map(\.slots.count)
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
        for number in [0, 1, 5, 99_991] {
          #expect(
            parts.flatMap { $0.draws(batch: number) } == whole.draws(batch: number),
            "\(entry) world \(world) batch \(number)")
        }
      }
    }
  }

  @Test("the number of batches of an epoch is the least that goes through every category")
  func countsEpochs() throws {
    for entry in Self.cases.prefix(60) {
      let plan = try entry.plan()
      func seen(_ batches: Int) -> Int {
        var drawn = entry.counts.map { _ in Set<Int>() }
        for number in 0..<batches {
          for draw in plan.draws(batch: number) { drawn[draw.category].insert(draw.item) }
        }
        return zip(drawn, entry.counts).filter { $0.count == $1 }.count
      }
      let longest = entry.counts.max() ?? 0
      #expect(seen(plan.epochBatchCount) == entry.counts.count, "\(entry)")
      #expect(
        plan.epochBatchCount * entry.batchSize < longest * entry.counts.count + entry.batchSize)
    }
  }

  @Test("another seed gives another order, the same seed the same")
  func seeds() throws {
    let counts = [30, 30, 30, 30]
    let one = try Case(batchSize: 16, counts: counts, seed: 1).plan()
    let same = try Case(batchSize: 16, counts: counts, seed: 1).plan()
    let other = try Case(batchSize: 16, counts: counts, seed: 2).plan()
    #expect(one.draws(batch: 3) == same.draws(batch: 3))
    #expect(one.draws(batch: 3) != other.draws(batch: 3))
    #expect(one.draws(batch: 3) != one.draws(batch: 4))
  }

  @Test("the probabilities of all triplets sum to 1")
  func probabilities() throws {
    let plan = try Case(batchSize: 4, counts: [3, 5, 7], seed: 1).plan()
    #expect(plan.probability(category: 1) == 1.0 / 15)
    let sum = zip(0..., [3, 5, 7]).map { plan.probability(category: $0) * Double($1) }
      .reduce(0, +)
    #expect(abs(sum - 1) < 1e-12)  // Three roundings of doubles.
  }

  @Test("numbers outside their range are refused with what is allowed")
  func refuses() throws {
    let cat = try CategoryName("cat")
    let dog = try CategoryName("dog")
    func refused(
      _ message: String, size: Int = 4, _ categories: [(CategoryName, Int)]? = nil,
      seed: Int64 = 0, rank: Int = 0, world: Int = 1, line: SourceLocation = #_sourceLocation
    ) {
      expectRefused(.invalidArgument, message, sourceLocation: line) {
        try BatchPlan(
          batchSize: size, categories: (categories ?? [(cat, 3)]).map { ($0.0, $0.1) },
          seed: seed, rank: rank, world: world)
      }
    }
    refused("batch_size is 0; expected 1 to 4096", size: 0)
    refused("batch_size is 4097; expected 1 to 4096", size: 4097)
    refused("batch_size is -1; expected 1 to 4096", size: -1)
    refused("0 categories; expected 1 to 4096", [])
    let range = "expected world 1 to batch_size (4) and rank below world"
    refused("rank 0 of world 0; \(range)", world: 0)
    refused("rank 0 of world 5; \(range)", world: 5)
    refused("rank 2 of world 2; \(range)", rank: 2, world: 2)
    refused("rank -1 of world 2; \(range)", rank: -1, world: 2)
    refused("seed is -1; expected 0 to 2^53 - 1", seed: -1)
    refused("seed is 9007199254740992; expected 0 to 2^53 - 1", seed: 1 << 53)
    refused("category 'dog' has no triplet in the snapshot", [(cat, 1), (dog, 0)])
    refused("a category is listed twice", [(cat, 1), (dog, 1), (cat, 1)])
    let many = try (0...4096).map { (try CategoryName("c \($0)"), 1) }
    refused("4097 categories; expected 1 to 4096", many)
  }

  @Test("the limits themselves are accepted, up to the last batch number")
  func acceptsLimits() throws {
    let categories = try (0..<4096).map { (name: try CategoryName("c \($0)"), count: 3) }
    let plan = try BatchPlan(
      batchSize: 4096, categories: categories, seed: (1 << 53) - 1, rank: 4095, world: 4096)
    let last = plan.draws(batch: Limits.standard.maximumBatchNumber)
    #expect(last.count == 1)
    #expect((0..<4096).contains(last[0].category) && (0..<3).contains(last[0].item))
  }

  @Test("a batch number outside the limits is a bug and traps")
  func traps() async {
    await #expect(processExitsWith: .failure) {
      _ = try Case(batchSize: 1, counts: [1], seed: 0).plan().draws(batch: -1)
    }
  }
}
