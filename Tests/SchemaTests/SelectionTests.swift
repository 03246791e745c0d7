import Schema
import TestSupport
import Testing

/// The policies other than `balanced`, over random cases.
@Suite struct SelectionTests {
  private static func plan(
    _ counts: [Int], _ selection: Selection, size: Int = 7, seed: Int64 = 3, rank: Int = 0,
    world: Int = 1
  ) throws -> BatchPlan {
    try BatchPlan(
      batchSize: size,
      categories: counts.enumerated().map { (try CategoryName("category \($0)"), $1) },
      selection: selection, seed: seed, rank: rank, world: world)
  }

  /// How far the draws of any category may be from its share, at any prefix (Béjian and Faure).
  static let bound = 16.0 / 3 + 1

  static let cases: [GoldenPlans.PlanCase] = {
    var random = SeededGenerator(9)
    return (0..<150).map { _ in GoldenPlans.randomCase(&random) }
  }()

  /// The cases of a policy by shares.
  static let shared = cases.filter { ![.balanced, .natural].contains($0.selection.policy) }

  @Test("policies by shares stay within 16/3 + 1 draws of their shares at every prefix")
  func sharesAtEveryPrefix() throws {
    for entry in Self.shared.prefix(40) {
      let plan = try Self.plan(entry.counts, entry.selection, size: 64, seed: entry.seed)
      var draws = [Int](repeating: 0, count: entry.counts.count)
      var farthest = 0.0
      for number in 0..<200 {
        for draw in plan.draws(batch: number) { draws[draw.category] += 1 }
        for (count, share) in zip(draws, plan.shares) {
          farthest = max(farthest, abs(Double(count) - share * Double((number + 1) * 64)))
        }
      }
      #expect(farthest <= Self.bound, "\(entry)")
    }
  }

  @Test("a cycle of 65,536 draws has each share exactly, at its end and at any later one")
  func exactPerCycle() throws {
    let plan = try Self.plan([9, 4, 2], .weights([3, 0.9, 1e-9]), size: 4096)
    #expect(plan.shares.map { $0 * 65536 } == [50412, 15123, 1])
    for first in [0, 16, 1_600_000] {
      var draws = [0, 0, 0]
      for number in first..<(first + 16) {
        for draw in plan.draws(batch: number) { draws[draw.category] += 1 }
      }
      #expect(draws == [50412, 15123, 1])
    }
  }

  @Test("shares are whole parts in proportion to the weights, the earlier first, each at least 1")
  func shares() throws {
    func shares(_ weights: [Double]) throws -> [Double] {
      try Self.plan(weights.map { _ in 1 }, .weights(weights)).shares.map { $0 * 65536 }
    }
    #expect(try shares([1]) == [65536])
    #expect(try shares([1, 1, 1]) == [21846, 21845, 21845])
    #expect(try shares([1, 3]) == [16384, 49152])
    // Two that would get nothing take one each from where least is missing.
    #expect(try shares([1, 1e-300, 1e300]) == [1, 1, 65534])
    #expect(try shares([1e308, 1e308]) == [32768, 32768])
    let many = try shares((0..<4096).map { $0 == 7 ? 1 : 1e-12 })
    #expect(many[7] == 65536 - 4095 && many.reduce(0, +) == 65536)
  }

  @Test("repeat factors and mixtures are what the papers say, worked out by hand")
  func proportions() throws {
    // f = 0.9, 0.09, 0.01; r = 1, sqrt(0.16 / 0.09), sqrt(0.16 / 0.01); f r = 0.9, 0.12, 0.04.
    let lvis = try Self.plan([90, 9, 1], .repeatFactor(threshold: 0.16, power: 0.5)).shares
    for (share, weight) in zip(lvis, [0.9, 0.12, 0.04]) {
      #expect(abs(share - weight / 1.06) < 1 / 65536)
    }
    let mixed = try Self.plan([5, 5, 5], .mixture(unseen: [1], share: 0.75)).shares
    #expect(mixed == [0.125, 0.75, 0.125])
    let none = try Self.plan([5, 5, 5], .mixture(unseen: [1], share: 0)).shares
    #expect(none.map { $0 * 65536 } == [32767, 1, 32768])
  }

  @Test("every triplet comes once before any twice under each policy, also from far ahead on")
  func goesThroughAll() throws {
    for entry in Self.shared {
      let plan = try Self.plan(entry.counts, entry.selection, size: 50, seed: entry.seed)
      var drawn = entry.counts.map { [Int](repeating: 0, count: $0) }
      var isOncePerEpoch = true
      for number in 0..<40 {
        for draw in plan.draws(batch: number).sorted(by: { $0.epoch < $1.epoch }) {
          isOncePerEpoch = isOncePerEpoch && drawn[draw.category][draw.item] == draw.epoch
          drawn[draw.category][draw.item] += 1
        }
      }
      #expect(isOncePerEpoch, "\(entry)")
      // Any place of the sequence is as good: a turn belongs to one draw alone.
      var seen = Set<[Int]>()
      for number in (1 << 39)..<((1 << 39) + 40) {
        for draw in plan.draws(batch: number) {
          isOncePerEpoch =
            isOncePerEpoch && seen.insert([draw.category, draw.item, draw.epoch]).inserted
        }
      }
      #expect(isOncePerEpoch, "\(entry) far ahead")
    }
  }

  @Test("natural draws each pair of category and triplet once an epoch, for any number of them")
  func natural() throws {
    for entry in Self.cases.prefix(60) {
      let total = entry.counts.reduce(0, +)
      let plan = try Self.plan(entry.counts, .natural, size: 1, seed: entry.seed)
      #expect(plan.epochBatchCount == total)
      for epoch in [0, 1, 1_000_003] {
        let draws = (0..<total).flatMap { plan.draws(batch: epoch * total + $0) }
        #expect(Set(draws.map { [$0.category, $0.item] }).count == total)
        #expect(draws.allSatisfy { $0.epoch == epoch && $0.count == entry.counts[$0.category] })
      }
      #expect(plan.lastTurns(batch: 0).allSatisfy { $0 == nil })
    }
  }

  @Test("the union over the ranks of any world is the plan under each policy")
  func sharesOut() throws {
    for entry in Self.cases {
      let whole = try Self.plan(entry.counts, entry.selection, size: 11, seed: entry.seed)
      for world in 1...8 {
        let parts = try (0..<world).flatMap { rank in
          try Self.plan(
            entry.counts, entry.selection, size: 11, seed: entry.seed, rank: rank, world: world
          ).draws(batch: 99_991)
        }
        #expect(parts == whole.draws(batch: 99_991), "\(entry) world \(world)")
      }
    }
  }

  @Test("epochBatchCount is the least number of batches that shows every triplet")
  func countsEpochs() throws {
    for entry in Self.cases.prefix(60) {
      let plan = try Self.plan(entry.counts, entry.selection, size: 9, seed: entry.seed)
      // Policy balanced rounds up to whole turns of all categories, see BatchPlanTests.
      guard plan.epochBatchCount < 2000, entry.selection != .balanced else { continue }
      var missing = entry.counts
      for number in 0..<plan.epochBatchCount {
        #expect(number == 0 || missing.contains { $0 > 0 }, "\(entry) is through before \(number)")
        for draw in plan.draws(batch: number) where draw.epoch == 0 { missing[draw.category] -= 1 }
      }
      #expect(missing.allSatisfy { $0 == 0 }, "\(entry)")
    }
  }

  @Test("probabilities sum to 1 and are what is drawn in the long run")
  func probabilities() throws {
    for entry in Self.cases {
      let plan = try Self.plan(entry.counts, entry.selection)
      let sum = entry.counts.enumerated()
        .map { plan.probability(category: $0) * Double($1) }.reduce(0, +)
      // A few hundred roundings of doubles.
      #expect(abs(sum - 1) < 1e-9, "\(entry)")
      #expect(abs(plan.shares.reduce(0, +) - 1) < 1e-9)
      for (category, count) in entry.counts.enumerated() {
        let chance = plan.probability(category: category) * Double(count)
        #expect(abs(chance - plan.shares[category]) < 1e-9)
      }
    }
    let plan = try Self.plan([4, 4], .balanced)
    #expect(plan.probability(category: 0, count: 8) == 1.0 / 16)
  }

  @Test("parameters outside their range are refused with what is allowed")
  func refuses() throws {
    func refused(
      _ message: String, _ selection: Selection, line: SourceLocation = #_sourceLocation
    ) {
      expectRefused(.invalidArgument, message, sourceLocation: line) {
        try Self.plan([3, 2], selection)
      }
    }
    refused("1 weights for 2 categories; expected one for each", .weights([1]))
    let weight = "expected a finite number above 0"
    refused("weight 1 is nan; \(weight)", .weights([1, .nan]))
    refused("weight 0 is 0.0; \(weight)", .weights([0, 1]))
    refused("weight 0 is -1.0; \(weight)", .weights([-1, 1]))
    refused("weight 1 is inf; \(weight)", .weights([1, .infinity]))
    let threshold = "expected a number above 0 and at most 1"
    for value in [0, 1.5, .nan, -.infinity] {
      refused("threshold is \(value); \(threshold)", .repeatFactor(threshold: value, power: 0.5))
    }
    for value in [-0.1, 1.5, .nan] {
      refused("power is \(value); expected 0 to 1", .repeatFactor(threshold: 0.1, power: value))
      refused("unseen_share is \(value); expected 0 to 1", .mixture(unseen: [0], share: value))
    }
    let groups = "a mixture needs at least one unseen and one seen category"
    refused("0 of 2 categories are unseen; \(groups)", .mixture(unseen: [], share: 0.5))
    refused("2 of 2 categories are unseen; \(groups)", .mixture(unseen: [0, 1], share: 0.5))
    refused("an unseen category is not among the categories", .mixture(unseen: [2], share: 0.5))
  }

  @Test("the names of the policies are those on the wire")
  func names() {
    #expect(
      SelectionPolicy.allCases.map(\.rawValue)
        == ["balanced", "natural", "weights", "repeat-factor", "mixture"])
  }
}
