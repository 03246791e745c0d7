import Schema
import TestSupport
import Testing

/// Lists that grow where an epoch ends.
@Suite struct ItemOrderTests {
  private func plan(_ counts: [Int], selection: Selection = .balanced) throws -> BatchPlan {
    try BatchPlan(
      batchSize: 4,
      categories: counts.enumerated().map { (try CategoryName("category \($0)"), $1) },
      selection: selection, seed: 5)
  }

  @Test("behind an edge the longer list is gone through once before any comes twice again")
  func grows() throws {
    for selection in [Selection.balanced, .weights([4, 1])] {
      var grown = try plan([3, 5], selection: selection)
      let plain = try plan([3, 5], selection: selection)
      try grown.orders[0].grow(to: 10, at: 6)
      try grown.orders[0].grow(to: 10, at: 26)
      try grown.orders[0].grow(to: 12, at: 36)
      let draws = (0..<60).flatMap { grown.draws(batch: $0) }
      var byEpoch: [Int: [Draw]] = [:]
      for draw in draws where draw.category == 0 { byEpoch[draw.epoch, default: []].append(draw) }
      let lengths = [3, 3, 10, 10, 10, 12]
      for (epoch, length) in lengths.enumerated() {
        let items = try #require(byEpoch[epoch])
        #expect(Set(items.map(\.item)) == Set(0..<length) || items.count < length)
        #expect(Set(items.map(\.item)).count == items.count)
        #expect(items.allSatisfy { $0.count == length })
      }
      // The other category does not notice, nor does what came before the edge.
      let before = (0..<60).flatMap { plain.draws(batch: $0) }
      #expect(draws.filter { $0.category == 1 } == before.filter { $0.category == 1 })
      let first = draws.filter { $0.category == 0 }
      let plainFirst = before.filter { $0.category == 0 }
      #expect(Set(first.filter { $0.epoch < 2 }.map(\.item)) == Set(0..<3))
      #expect(
        first.filter { $0.epoch < 2 }.map(\.item)
          == plainFirst.filter { $0.epoch < 2 }.map(\.item))
    }
  }

  @Test("an edge that keeps the count changes nothing")
  func confirms() throws {
    var confirmed = try plan([3, 5])
    let plain = try plan([3, 5])
    try confirmed.orders[0].grow(to: 3, at: 9)
    try confirmed.orders[1].grow(to: 5, at: 10)
    for number in 0..<40 {
      #expect(confirmed.draws(batch: number) == plain.draws(batch: number))
    }
  }

  @Test("the last turns of a batch are those of its draws")
  func lastTurns() throws {
    let plan = try plan([3, 5, 1, 1, 1, 1])
    // Six categories and four draws: some are missing.
    #expect(plan.lastTurns(batch: 0).filter { $0 == 0 }.count == 4)
    #expect(plan.lastTurns(batch: 0).filter { $0 == nil }.count == 2)
    #expect(plan.lastTurns(batch: 2).allSatisfy { $0 == nil || $0 == 1 })
    #expect(plan.orders[1].epochStart(atOrAfter: 0) == 0)
    #expect(plan.orders[1].epochStart(atOrAfter: 1) == 5)
    #expect(plan.orders[1].epochStart(atOrAfter: 5) == 5)
  }

  @Test("an edge inside an epoch, behind a later one or to fewer triplets is refused")
  func refuses() throws {
    var order = try plan([3]).orders[0]
    func refused(_ turn: Int, _ count: Int, line: SourceLocation = #_sourceLocation) {
      let last = order.edges.last.map { "behind one at turn \($0.turn) to \($0.count)" } ?? ""
      expectRefused(
        .invalidArgument,
        "an edge at turn \(turn) to \(count) triplets, \(last); expected a later epoch's "
          + "first turn and no fewer triplets", sourceLocation: line
      ) { try order.grow(to: count, at: turn) }
    }
    for turn in [-3, 0, 1, 4, .max, .min, (1 << 53) + 1] { refused(turn, 5) }
    for count in [2, 0, -1, .max, .min] { refused(3, count) }
    try order.grow(to: 4, at: 3)
    refused(3, 5)
    refused(6, 5)
    for index in 1..<(ItemOrder.maximumEdges - 1) { try order.grow(to: 4, at: 3 + index * 4) }
    #expect(order.edges.count == ItemOrder.maximumEdges)
    expectRefused(.invalidArgument, "more than 1024 edges of a category") {
      try order.grow(to: 4, at: 1 << 40 | 3)
    }
  }
}
