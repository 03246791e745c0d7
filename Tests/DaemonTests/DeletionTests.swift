import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// Deleting and compacting as clients see them.
@Suite struct DeletionTests {
  private let daemon: DaemonProcess
  private let client: DaemonClient

  init() throws {
    daemon = try DaemonProcess()
    client = try daemon.client()
  }

  private func open(_ client: DaemonClient, _ snapshot: Int64? = nil) throws -> StreamOpen.Result {
    try client.call(
      StreamOpen.self,
      .init(
        categories: [CategoryName("cat")], batchSize: 8, imageSize: 16, seed: 3,
        snapshot: snapshot)
    ).result
  }

  private func batches(_ client: DaemonClient, _ stream: Int) throws -> [[UInt8]] {
    try (0..<3).map { try client.call(BatchGet.self, .init(stream: stream, k: $0)).body }
  }

  @Test("an open stream sees what it saw, through deleting, compacting and coming back")
  func streamsKeepTheirPlan() throws {
    try client.order("cat", 12)
    let ids = try client.work()
    var reader: DaemonClient? = try daemon.client()
    let stream = try open(#require(reader))
    let before = try batches(#require(reader), stream.stream)
    let deleted = try client.call(
      TripletDelete.self, .init(triplets: Array(ids.prefix(8)) + [4711])
    ).result
    #expect(deleted.deleted == 8 && deleted.missing == [4711])
    #expect(try client.call(Counts.self, .init()).result.triplets == 4)
    var compacted = try client.call(Compact.self, .init(deadPercent: 1)).result
    #expect(compacted.held == 8 && compacted.oldestHeld == stream.token.snapshot)
    #expect(try batches(#require(reader), stream.stream) == before)
    // Without a word: it may come back with its token.
    reader = nil
    compacted = try client.call(Compact.self, .init(deadPercent: 1)).result
    #expect(compacted.held == 8)
    let again = try open(client, stream.token.snapshot)
    #expect(again.plan == stream.plan)
    #expect(try batches(client, again.stream) == before)
    let fresh = try open(client)
    #expect(fresh.categories[0].stock == 4)
  }

  @Test("closing the last stream lets the space go, and its snapshot")
  func closingLetsGo() throws {
    try client.order("cat", 6)
    let ids = try client.work()
    let stream = try open(client)
    _ = try client.call(TripletDelete.self, .init(triplets: Array(ids.dropLast(1))))
    let kept = try client.call(Compact.self, .init()).result
    #expect(kept.held == 5 && kept.freedBytes == 0)
    _ = try client.call(StreamClose.self, .init(stream: stream.stream))
    let gone = try client.call(Compact.self, .init()).result
    #expect(gone.forgotten == 5 && gone.held == 0 && gone.packs == 1 && gone.moved == 1)
    #expect(gone.freedBytes > 0)
    let error = client.refusal(
      StreamOpen.self,
      .init(
        categories: [try CategoryName("cat")], batchSize: 8, imageSize: 16, seed: 3,
        snapshot: stream.token.snapshot))
    #expect(error?.word == .snapshotGone)
    #expect(try client.call(Check.self, .init(deep: true)).result.problems == [])
  }

  @Test("requests that make no sense are refused by name")
  func refuses() throws {
    let none = client.refusal(TripletDelete.self, .init(triplets: []))
    #expect(none?.message == "the number of triplets is 0; expected 1 to 1000")
    let many = client.refusal(TripletDelete.self, .init(triplets: Array(1...1001)))
    #expect(many?.message == "the number of triplets is 1001; expected 1 to 1000")
    let twice = client.refusal(TripletDelete.self, .init(triplets: [1, 1]))
    #expect(twice?.message == "a triplet is there twice")
    for percent in [0, 101, -1] {
      let error = client.refusal(Compact.self, .init(deadPercent: percent))
      #expect(error?.message == "dead_percent is \(percent); expected 1 to 100")
    }
    #expect(
      try client.call(TripletDelete.self, .init(triplets: [-5, 0, Int64.max])).result
        == .init(deleted: 0, missing: [-5, 0, Int64.max], snapshot: 0))
  }

  @Test("the daemon compacts by itself", .tags(.slow))
  func compactsByItself() throws {
    try client.order("cat", 6)
    let ids = try client.work()
    _ = try client.call(TripletDelete.self, .init(triplets: ids))
    let deadline = ContinuousClock.now + .seconds(30)
    while try client.call(Status.self, .init()).result.packBytes > 0
      || !daemon.log.contains("compacted")
    {
      guard ContinuousClock.now < deadline else {
        Issue.record("nothing was compacted: \(daemon.log)")
        return
      }
      usleep(100_000)
    }
  }
}
