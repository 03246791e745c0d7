import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// Streams that take new triplets in, and the bound on draws of thin categories.
@Suite struct FollowTests {
  private let daemon: DaemonProcess
  private let client: DaemonClient

  init() throws {
    daemon = try DaemonProcess()
    client = try daemon.client()
    try fill(["cat": 4, "dog": 2])
  }

  private func fill(_ counts: [String: Int]) throws {
    for (category, count) in counts.sorted(by: { $0.key < $1.key }) {
      try client.order(category, count)
      _ = try client.work()
    }
  }

  private func params(rank: Int = 0, world: Int = 1) throws -> StreamOpen.Params {
    var params = StreamOpen.Params(
      categories: [try CategoryName("cat"), try CategoryName("dog")], batchSize: 4, seed: 9,
      rank: rank, world: world)
    params.follow = true
    return params
  }

  private func triplets(
    _ stream: Int, _ batches: Range<Int>, _ client: DaemonClient? = nil
  ) throws -> [[Int]] {
    try draws(stream, batches, client).map { $0.map(\.triplet) }
  }

  private func draws(
    _ stream: Int, _ batches: Range<Int>, _ client: DaemonClient? = nil
  ) throws -> [[(category: Int, epoch: Int, triplet: Int)]] {
    try batches.map { number in
      let (result, body) = try (client ?? self.client).call(
        BatchGet.self, .init(stream: stream, k: number))
      let categories = try integers(body, "category", 4)
      let triplets = try integers(body, "triplet", 8)
      return categories.indices.map { (categories[$0], result.epochs[$0], triplets[$0]) }
    }
  }

  /// The triplets of one category by epoch, each list sorted.
  private func epochs(
    _ draws: [[(category: Int, epoch: Int, triplet: Int)]], _ category: Int
  ) -> [[Int]] {
    let draws = draws.flatMap { $0 }.filter { $0.category == category }
    return (0...(draws.map(\.epoch).max() ?? 0)).map { epoch in
      draws.filter { $0.epoch == epoch }.map(\.triplet).sorted()
    }
  }

  @Test("new triplets come in where an epoch ends, and batches stay what they were")
  func follows() throws {
    let open = try client.call(StreamOpen.self, params()).result
    #expect(open.token.edges == ["cat": [[0, 4]], "dog": [[0, 2]]])
    // Two draws of each category a batch: dog ends an epoch with each batch, cat with every second.
    let first = try draws(open.stream, 0..<1)
    try fill(["cat": 7, "dog": 3])
    let all = first + (try draws(open.stream, 1..<9))
    let result = try client.call(BatchGet.self, .init(stream: open.stream, k: 8)).result
    #expect(result.token.edges?["cat"]?.prefix(2) == [[0, 4], [4, 7]])
    #expect(result.token.edges?["dog"]?.prefix(2) == [[0, 2], [2, 3]])
    #expect(epochs(all, 0).prefix(2) == [[1, 2, 3, 4], [1, 2, 3, 4, 7, 8, 9]])
    #expect(epochs(all, 1).prefix(3) == [[5, 6], [5, 6, 10], [5, 6, 10]])
    #expect(try triplets(open.stream, 0..<9) == all.map { $0.map(\.triplet) })
    let body = try client.call(BatchGet.self, .init(stream: open.stream, k: 3)).body
    let chances = try integers(body, "probability", 4).map { Float(bitPattern: UInt32($0)) }
    let categories = try integers(body, "category", 4)
    #expect(chances == categories.map { $0 == 0 ? 1 / 14 : 1 / 6 })
  }

  @Test("a token goes on exactly, also after a restart and more triplets than it knew")
  func resumes() throws {
    let open = try client.call(StreamOpen.self, params()).result
    _ = try triplets(open.stream, 0..<2)
    try fill(["cat": 7])
    let drawn = try triplets(open.stream, 2..<6)
    let token = try client.call(BatchGet.self, .init(stream: open.stream, k: 5)).result.token
    #expect(daemon.stop() == 0)
    try daemon.start()
    let second = try daemon.client()
    try second.order("dog", 5)
    _ = try second.work()
    var again = try params()
    (again.snapshot, again.store, again.edges) = (token.snapshot, token.store, token.edges)
    let reopened = try second.call(StreamOpen.self, again).result
    #expect(reopened.plan == open.plan)
    #expect(try triplets(reopened.stream, 2..<6, second) == drawn)
    // Turn 12 begins another epoch of dog, the first that the token has not decided.
    let edges = try second.call(BatchGet.self, .init(stream: reopened.stream, k: 6)).result.token
      .edges
    #expect(edges?["dog"] == [[0, 2], [12, 5]])
  }

  @Test("all ranks of a plan take new triplets in at the same place")
  func ranksAgree() throws {
    let other = try daemon.client()
    let left = try client.call(StreamOpen.self, params(rank: 0, world: 2)).result
    let right = try other.call(StreamOpen.self, params(rank: 1, world: 2)).result
    let early = try draws(left.stream, 0..<3)
    try fill(["cat": 9, "dog": 5])
    let right9 = try draws(right.stream, 0..<9, other)
    let union = zip(early + (try draws(left.stream, 3..<9)), right9).map { $0 + $1 }
    let edges = try client.call(BatchGet.self, .init(stream: left.stream, k: 8)).result.token.edges
    #expect(
      try other.call(BatchGet.self, .init(stream: right.stream, k: 8)).result.token.edges == edges)
    #expect(edges?["cat"]?.contains { $0[1] == 9 } == true)
    // An epoch holds each triplet once, whichever rank drew it.
    for category in 0..<2 {
      let lists = epochs(union, category)
      #expect(lists.allSatisfy { Set($0).count == $0.count })
      let lengths = Set(lists.map(\.count).dropLast())
      #expect(lengths.isSubset(of: [[4, 9], [2, 5]][category]))
    }
  }

  @Test("edges that are none, and edges against those that others follow, are refused")
  func refusesEdges() throws {
    let open = try client.call(StreamOpen.self, params()).result
    _ = try triplets(open.stream, 0..<4)
    func refused(
      _ word: ErrorWord, _ message: String, _ edges: [String: [[Int]]],
      line: SourceLocation = #_sourceLocation
    ) throws {
      var params = try params()
      (params.snapshot, params.edges) = (open.token.snapshot, edges)
      let error = client.refusal(StreamOpen.self, params)
      #expect(error?.word == word, sourceLocation: line)
      #expect(error?.message == message, sourceLocation: line)
    }
    try refused(
      .invalidParams, "edges name 'emu', which is not in the stream", ["emu": [[0, 4]]])
    for list in [[], [[0, 5]], [[0, 4], [4]], [[0, 4], []]] {
      try refused(
        .invalidParams,
        "edges of 'cat' are \(list.prefix(3)); expected pairs of a turn and a count, the first "
          + "[0, 4]", ["cat": list])
    }
    try refused(
      .invalidParams,
      "edges of 'cat': an edge at turn 6 to 5 triplets, behind one at turn 0 to 4; expected a "
        + "later epoch's first turn and no fewer triplets", ["cat": [[0, 4], [6, 5]]])
    try refused(
      .invalidParams, "edges of 'cat': turn 4 lies in an epoch that another edge has decided",
      ["cat": [[0, 4], [8, 4], [4, 5]]])
    try refused(
      .snapshotGone, "the token's edges need 50 triplets of 'cat', the store has 4",
      ["cat": [[0, 4], [8, 50]]])
    try fill(["cat": 5])
    try refused(
      .snapshotGone,
      "the token's edges of 'cat' are not those that the open streams of this plan follow; open "
        + "all of its ranks with tokens of one moment", ["cat": [[0, 4], [4, 5]]])
  }

  @Test("a triplet that is set aside does not move those behind it")
  func followsAfterDamage() throws {
    var params = try params()
    params.imageSize = 16
    let open = try client.call(StreamOpen.self, params).result
    let before = try triplets(open.stream, 0..<3)
    #expect(daemon.stop() == 0)
    // The second record of the pack is the first triplet's mask.
    let pack = URL(fileURLWithPath: daemon.store + "/packs/000001.pack")
    var bytes = try Data(contentsOf: pack)
    bytes[64 + 40] ^= 1
    try bytes.write(to: pack)
    try daemon.start()
    let second = try daemon.client()
    #expect(second.refusal(TripletGet.self, .init(triplet: 1))?.word == .tripletCorrupt)
    try second.order("cat", 6)
    _ = try second.work()
    var again = params
    (again.snapshot, again.edges) = (open.token.snapshot, ["cat": [[0, 4]], "dog": [[0, 2]]])
    let reopened = try second.call(StreamOpen.self, again).result
    #expect(reopened.plan == open.plan)
    for number in 0..<2 where !before[number].contains(1) {
      #expect(try triplets(reopened.stream, number..<(number + 1), second) == [before[number]])
    }
    // The damaged one keeps its place in the list, those stored since come behind.
    let later = (2..<9).compactMap { number -> [Int]? in
      do {
        return try triplets(reopened.stream, number..<(number + 1), second).first
      } catch {
        return nil
      }
    }
    #expect((1..<7).contains(later.count))
    #expect(later.joined().contains { $0 > 6 })
  }

  @Test("a thin category is drawn maximum_draws times before its stream asks for more")
  func boundsDraws() throws {
    var params = StreamOpen.Params(
      all: true, batchSize: 4, minimum: 4, onThin: .repeat, snapshot: nil)
    params.maximumDraws = 2
    let open = try client.call(StreamOpen.self, params).result
    // Two draws of 'dog' a batch: batch 2 begins to draw its two triplets a third time.
    _ = try triplets(open.stream, 0..<2)
    #expect(try client.call(Status.self, .init()).result.activeJobs == 0)
    let batch = try client.call(BatchGet.self, .init(stream: open.stream, k: 2)).result
    #expect(batch.thin.map(\.text) == ["dog"])
    let jobs = try client.call(JobList.self, .init()).result.jobs.filter { $0.state == .active }
    #expect(jobs.map(\.category.text) == ["dog"])
    #expect(jobs.map(\.target) == [4])
  }

  @Test("with on_thin 'wait' the batch comes when more are made, or says how far they are")
  func waitsForMore() throws {
    var params = StreamOpen.Params(
      all: true, batchSize: 4, minimum: 4, onThin: .wait, waitSeconds: 0.3,
      snapshot: try client.call(Status.self, .init()).result.snapshot)
    params.maximumDraws = 2
    let open = try client.call(StreamOpen.self, params).result
    let late = client.refusal(BatchGet.self, .init(stream: open.stream, k: 2))
    #expect(late?.word == .deadlineReached)
    #expect(
      late?.message
        == "'dog' has 2 of 4 triplets after 0.3 s; its backfill goes on: ask again later")
    _ = try client.work()
    let result = try client.call(BatchGet.self, .init(stream: open.stream, k: 2)).result
    #expect(result.waits.thinUs >= 0 && result.epochs.max() == 2)
  }

  @Test("with on_thin 'fail' and follow nothing thin is drawn, and 'repeat' starts at once")
  func startsAtOnce() throws {
    var params = try params()
    (params.minimum, params.onThin) = (4, .repeat)
    _ = try client.call(StreamOpen.self, params)
    #expect(try client.call(Status.self, .init()).result.activeJobs == 1)
    params.onThin = .fail
    #expect(client.refusal(StreamOpen.self, params)?.word == .categoryThin)
  }
}
