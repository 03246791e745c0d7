import Foundation
import GRDB
import Schema
import TestSupport
import Testing

@testable import Store

/// What was set aside: listed with its reason, taken back when it is whole, deleted when it is not.
@Suite struct QuarantineTests {
  /// Flips one bit of the image of a triplet; doing it again mends it.
  private func flip(_ fixture: StoreFixture, _ place: BlobPlace) throws {
    var pack = try fixture.pack(place.pack)
    pack[place.offset + PackLayout.recordHeaderBytes + 3] ^= 4
    try fixture.writePack(pack, place.pack)
  }

  @Test("a damaged triplet is found by a deep check, listed, and comes back when it is mended")
  func release() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    _ = try await store.importItems(
      [("a", try EncodedTriplet(.sample(categories: ["cat", "dog"])))], source: "s")
    try await store.fill("cat", 3)
    let before = store.summary.snapshot
    let place = try #require(try await store.facts([1]).first?.image)
    let image = try await store.triplet(1).image
    await store.close()
    try flip(fixture, place)
    store = try fixture.open()
    let check = try await store.check(isDeep: true)
    #expect(check.quarantined == [1] && check.problems.count == 1)
    let entry = try #require(try await store.quarantined(.init()).triplets.first)
    #expect(entry.triplet == 1 && entry.foundMicroseconds == 1_700_000_000_000_000)
    #expect(entry.reason.hasPrefix("000001.pack at \(place.offset), triplet 1: checksum"))
    var result = try await store.release([1, 2, 999])
    #expect(result.released == [] && result.missing == [2, 999])
    #expect(result.damaged.map(\.triplet) == [1])
    await store.close()
    try flip(fixture, place)
    store = try fixture.open()
    result = try await store.release([1])
    let new = try #require(result.released.first?.became)
    #expect(new > before && result.damaged == [])
    #expect(try await store.triplet(new).image == image)
    #expect(try await store.quarantined(.init()).triplets == [])
    #expect(store.summary.quarantined == 0 && store.summary.triplets == 3)
    #expect(try await store.imported(["a"], source: "s").map(\.triplet) == [new])
    #expect(try await store.check(isDeep: true).problems == [])
    // Who saw it before it was set aside has it at its old place, under its old name.
    let view = try await store.view([CategoryName("cat")], at: before)
    #expect(view.triplet(category: 0, item: 0) == 1)
    #expect(try await store.release([1]).missing == [1])
  }

  @Test("rows that do not match their seal are set aside, and cannot be taken back")
  func damagedRows() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 2)
    let id = try await store.query(.init()).triplets[0].triplet
    await store.close()
    let queue = try DatabaseQueue(path: fixture.path + "/catalog.sqlite")
    try await queue.write { db in
      try db.execute(sql: "UPDATE triplet SET seed = seed + 1 WHERE id = ?", arguments: [id])
    }
    try queue.close()
    store = try fixture.open()
    #expect(try await store.check(isDeep: true).quarantined == [id])
    let entry = try #require(try await store.quarantined(.init()).triplets.first)
    #expect(entry.reason.contains("does not match its seal"))
    #expect(try await store.release([id]).damaged.map(\.triplet) == [id])
    #expect(try await store.delete([id]).deleted == 1)
    #expect(try await store.check(isDeep: true).quarantined == [])
  }

  @Test("the list comes in pages")
  func pages() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.fill("cat", 5)
    let ids = try await store.query(.init()).triplets.map(\.triplet)
    for id in ids { await store.setAside(id, reason: "a test") }
    let first = try await store.quarantined(.init(limit: 2))
    #expect(first.triplets.map(\.triplet) == Array(ids.prefix(2)) && first.next == ids[1])
    let rest = try await store.quarantined(.init(after: first.next, limit: 3))
    #expect(rest.triplets.map(\.triplet) == Array(ids.suffix(3)) && rest.next == nil)
    let error = await #expect(throws: StoreError.self) {
      _ = try await store.quarantined(.init(limit: 0))
    }
    #expect(error?.message == "limit is 0; expected 1 to 1000")
  }

  @Test("a triplet that is deleted while a deep check goes on is no problem")
  func deletedMeanwhile() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.fill("cat", 200)
    let ids = try await store.query(.init(limit: 300)).triplets.map(\.triplet)
    async let check = store.check(isDeep: true)
    _ = try await store.delete(Array(ids.suffix(100)))
    let problems = try await check.problems
    #expect(problems == [])
  }

  @Test("a recount mends stocks, items of jobs, live bytes and the full text")
  func recount() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 4, with: ["dog"])
    await store.close()
    let queue = try DatabaseQueue(path: fixture.path + "/catalog.sqlite")
    try await queue.write { db in
      try db.execute(
        sql: """
          UPDATE category SET stock = 1, instances = 9 WHERE name = 'dog';
          UPDATE job SET done_count = 2;
          UPDATE pack SET live_bytes = 5;
          INSERT INTO prompt_search (prompt_search) VALUES ('delete-all');
          """)
    }
    try queue.close()
    store = try fixture.open()
    #expect(try await store.check(isDeep: true).problems.count == 4)
    #expect(try await store.search(.init(text: "photograph")).triplets == [])
    let result = try await store.recount()
    #expect(result.corrected.count == 3 && result.left == [])
    #expect(try await store.check(isDeep: true).problems == [])
    #expect(try await store.search(.init(text: "photograph")).triplets.count == 4)
    #expect(try store.counts().categories.map(\.stock) == [4, 4])
    try await store.fill("cat", 5, with: ["dog"])
    #expect(try await store.check(isDeep: true).problems == [])
  }
}
