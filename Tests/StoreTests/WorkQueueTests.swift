import Foundation
import Schema
import TestSupport
import Testing

@testable import Store

/// Jobs, leases, fencing tokens, failures, and who is served first.
@Suite struct WorkQueueTests {
  private func encoded(_ item: WorkItem) throws -> EncodedTriplet {
    try EncodedTriplet(Triplet.sample(seed: UInt64(item.seed), categories: [item.category.text]))
  }

  @Test("an item's seed depends on its job and ordinal only, and no two items share one")
  func itemSeeds() async throws {
    let (first, second) = (try StoreFixture(), try StoreFixture())
    var seeds: [[Int64]] = []
    for fixture in [first, second] {
      let store = try fixture.open()
      _ = try await store.order("cat", target: 50)
      seeds.append(try await store.take(50).map(\.seed))
    }
    #expect(seeds[0] == seeds[1])
    #expect(Set(seeds[0]).count == 50)
    #expect(seeds[0].allSatisfy { (0..<(1 << 53)).contains($0) })
  }

  @Test("an item handed in twice becomes one triplet")
  func submitIsIdempotent() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 1)
    let item = try #require(try await store.take(1).first)
    let triplet = try encoded(item)
    async let one = store.submit(item.lease, triplet)
    async let two = store.submit(item.lease, triplet)
    let results = try await [one, two]
    #expect(Set(results.map(\.triplet)).count == 1)
    #expect(results.filter(\.duplicate).count == 1)
    let third = try await store.submit(item.lease, triplet)
    #expect(third.duplicate)
    #expect(try store.counts().categories.first?.stock == 1)
  }

  @Test("a worker whose item was leased again is refused, and its successor is not")
  func fencesRevivedWorker() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 1)
    let old = try #require(try await store.take(1, seconds: 5).first)
    fixture.advance(seconds: 6)
    let new = try #require(try await store.take(1, seconds: 5).first)
    #expect(new.ordinal == old.ordinal)
    #expect(new.seed == old.seed)
    #expect(new.token == old.token + 1)
    let error = await #expect(throws: StoreError.self) {
      _ = try await store.submit(old.lease, encoded(old))
    }
    #expect(error?.code == .tokenStale)
    #expect(
      error?.message
        == "item 0 of job 1 is leased under token 2, not 1; drop the work and lease again")
    #expect(try await !store.submit(new.lease, encoded(new)).duplicate)
  }

  @Test("a lease that ran out may still hand in, as long as nobody took the item")
  func lateSubmitCounts() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 1)
    let item = try #require(try await store.take(1, seconds: 5).first)
    fixture.advance(seconds: 60)
    try await store.expireLeases()
    #expect(try await store.jobs(.init()).first?.leased == 0)
    #expect(try await !store.submit(item.lease, encoded(item)).duplicate)
  }

  @Test("a renewed lease outlives its first time; a lost one is named")
  func renews() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 1)
    let item = try #require(try await store.take(1, seconds: 5).first)
    fixture.advance(seconds: 4)
    #expect(try await store.renew([item.lease], seconds: 5) == [])
    fixture.advance(seconds: 4)
    #expect(try await store.take(1) == [])
    fixture.advance(seconds: 2)
    let new = try #require(try await store.take(1).first)
    #expect(try await store.renew([item.lease, new.lease], seconds: 5) == [item.lease])
  }

  @Test("three failures park an item, with its error, and the job says so")
  func parksAfterThreeFailures() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 2)
    let good = try #require(try await store.take(2).last)
    _ = try await store.submit(good.lease, encoded(good))
    var results: [WorkFail.Result] = []
    for attempt in 0..<3 {
      let lease =
        attempt == 0
        ? LeaseReference(job: 1, ordinal: 0, token: 1)
        : try #require(try await store.take(1).first).lease
      results.append(try await store.fail(lease, error: "no sprite of 'cat'"))
    }
    #expect(results.map(\.attempts) == [1, 2, 3])
    #expect(results.map(\.parked) == [false, false, true])
    let job = try #require(try await store.jobs(.init()).first)
    #expect(job.state == .failed)
    #expect((job.done, job.parked) == (1, 1))
    #expect(job.lastError == "item 0: no sprite of 'cat'")
    #expect(try await store.take(1) == [])
    #expect(try await store.check(isDeep: false).problems == [])
  }

  @Test("an item whose workers vanish again and again is parked in the end")
  func parksAfterLostLeases() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 1)
    for _ in 0..<Limits.standard.maximumLostLeases {
      let item = try #require(try await store.take(1).first)
      try await store.release([item.lease], isLost: true)
    }
    let job = try #require(try await store.jobs(.init()).first)
    #expect(job.state == .failed)
    #expect(job.lastError == "item 0: its worker vanished 20 times")
  }

  @Test("a lease given back counts against nobody")
  func releases() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 1)
    for _ in 0..<50 {
      let item = try #require(try await store.take(1).first)
      try await store.release([item.lease], isLost: false)
    }
    #expect(try await store.jobs(.init()).first?.state == .active)
  }

  @Test("equal requests join one job; a higher target adds only what is missing")
  func joins() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    let outcomes = [
      try await store.order("cat", target: 10)[0], try await store.order("cat", target: 10)[0],
      try await store.order("cat", target: 4)[0], try await store.order("cat", target: 15)[0],
    ]
    #expect(outcomes.map(\.outcome) == ["created", "joined", "joined", "created"])
    #expect(outcomes.map(\.jobs) == [[1], [1], [1], [1, 2]])
    let jobs = try await store.jobs(.init())
    #expect(jobs.map(\.items) == [5, 10])
    #expect(try store.counts().categories.first?.target == 15)
    #expect(try store.counts().categories.first?.pending == 15)
    for item in try await store.take(15) { _ = try await store.submit(item.lease, encoded(item)) }
    let last = try await store.order("cat", target: 15)[0]
    #expect(last.outcome == "satisfied")
    #expect(last.jobs == [])
    #expect(last.stock == 15)
  }

  @Test("higher priority goes first; equal jobs take turns")
  func fairShare() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 30)
    _ = try await store.order("dog", target: 30)
    _ = try await store.order("bus", target: 4, priority: 5)
    let names = try await store.take(36).map(\.category.text)
    #expect(names.prefix(4).allSatisfy { $0 == "bus" })
    #expect(names.filter { $0 == "cat" }.count == 16)
    #expect(names.filter { $0 == "dog" }.count == 16)
  }

  @Test("a cancelled job hands out nothing and takes nothing")
  func cancels() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 5)
    let items = try await store.take(2)
    _ = try await store.submit(items[0].lease, encoded(items[0]))
    let jobs = try await store.cancel([1])
    #expect(jobs.map(\.state) == [.cancelled])
    #expect(jobs.map(\.leased) == [0])
    #expect(try await store.take(1) == [])
    let error = await #expect(throws: StoreError.self) {
      _ = try await store.submit(items[1].lease, encoded(items[1]))
    }
    #expect(error?.message == "job 1 is cancelled; its items are no longer taken")
    let unknown = await #expect(throws: StoreError.self) { _ = try await store.cancel([1, 99]) }
    #expect(unknown?.code == .jobUnknown)
    #expect(try store.counts().categories.first?.stock == 1)
  }

  @Test("a submission that is not what the item asks for is refused, and the item stays")
  func refusesWrongSubmissions() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 1)
    let item = try #require(try await store.take(1).first)
    let cases: [(Triplet, String)] = [
      (try .sample(side: 17), "item 0 of job 1 wants an image of 16x16, not 17x17"),
      (
        try .sample(categories: ["dog"]),
        "item 0 of job 1 is for 'cat', and no mask of the triplet shows it"
      ),
      (try .sample(engine: "other"), "item 0 of job 1 is for engine 'scenes', not 'other'"),
    ]
    for (triplet, message) in cases {
      let error = await #expect(throws: StoreError.self) {
        _ = try await store.submit(item.lease, EncodedTriplet(triplet))
      }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message == message)
    }
    let unknown = await #expect(throws: StoreError.self) {
      _ = try await store.submit(
        LeaseReference(job: 1, ordinal: 7, token: 1), EncodedTriplet(.sample()))
    }
    #expect(unknown?.code == .itemUnknown)
    #expect(store.summary.triplets == 0)
    #expect(try await !store.submit(item.lease, EncodedTriplet(.sample())).duplicate)
  }

  @Test("jobs, items and targets survive a restart; leases end with the daemon")
  func survivesRestart() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    _ = try await store.order("cat", target: 10)
    let items = try await store.take(4)
    _ = try await store.submit(items[0].lease, encoded(items[0]))
    await store.close()
    store = try fixture.open()
    let job = try #require(try await store.jobs(.init()).first)
    #expect((job.items, job.done, job.leased) == (10, 1, 0))
    #expect(store.summary.activeJobs.count == 1)
    // The worker lived on and hands in what nobody else has taken.
    #expect(try await !store.submit(items[1].lease, encoded(items[1])).duplicate)
    let rest = try await store.take(20)
    #expect(rest.count == 8)
    for item in rest { _ = try await store.submit(item.lease, encoded(item)) }
    #expect(try await store.jobs(.init()).first?.state == .done)
    #expect(try store.counts().categories.first?.stock == 10)
  }

  @Test("companions are the other categories with a target, weighted by it")
  func companions() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    let goals = try [("cat", 30), ("dog", 10)].map {
      Backfill.Goal(category: try CategoryName($0.0), target: $0.1)
    }
    _ = try await store.backfill(
      goals, engine: "scenes", imageSize: 16, priority: 0, seed: 1, companions: true)
    let items = try await store.take(16)
    let dog = try #require(items.first { $0.category.text == "dog" })
    #expect(dog.companions == [Companion(category: try CategoryName("cat"), weight: 30)])
    _ = try await store.backfill(
      [Backfill.Goal(category: CategoryName("bus"), target: 1)], engine: "scenes", imageSize: 16,
      priority: 9, seed: 1, companions: false)
    #expect(try await store.take(1).first?.companions == [])
  }
}
