import Foundation
import GRDB
import Schema
import TestSupport
import Testing

@testable import Store

/// Deleting: gone from counts and new snapshots, there for those who hold an older one.
@Suite struct DeletionTests {
  @Test("deleted triplets leave counts, lists and queries at one number, also after reopening")
  func deletes() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 5, with: ["dog"])
    let before = store.summary.snapshot
    let ids = try await store.query(.init()).triplets.map(\.triplet)
    let result = try await store.delete([ids[1], ids[3], 4711])
    #expect(result == .init(deleted: 2, missing: [4711], snapshot: before + 1))
    for _ in 0..<2 {
      #expect(try store.counts().categories.map(\.stock) == [3, 3])
      #expect(try store.counts().categories.map(\.instances) == [3, 3])
      #expect(store.summary.triplets == 3 && store.summary.deleted == 2)
      #expect(try await store.query(.init()).triplets.map(\.triplet) == [ids[0], ids[2], ids[4]])
      let view = try await store.view([CategoryName("cat")])
      #expect((0..<3).map { view.triplet(category: 0, item: $0) } == [ids[0], ids[2], ids[4]])
      let error = await #expect(throws: StoreError.self) { _ = try await store.triplet(ids[1]) }
      #expect(error?.code == .tripletUnknown)
      #expect(try await store.check(isDeep: true).problems == [])
      await store.close()
      store = try fixture.open()
    }
    let again = try await store.delete([ids[1]])
    #expect(again == .init(deleted: 0, missing: [ids[1]], snapshot: before + 1))
  }

  @Test("a snapshot from before keeps its order and its bytes")
  func keepsSnapshots() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.fill("cat", 4)
    let cat = try CategoryName("cat")
    let hold = try store.hold()
    let view = try await store.view([cat], at: hold.snapshot)
    let ids = (0..<4).map { view.triplet(category: 0, item: $0) }
    _ = try await store.delete([ids[0], ids[2]])
    #expect(try await store.compact().held == 2)
    let old = try await store.view([cat], at: hold.snapshot)
    #expect((0..<4).map { old.triplet(category: 0, item: $0) } == ids)
    let reader = store.reader()
    for facts in try await store.facts(ids) { try reader.load(facts) }
    withExtendedLifetime(hold) {}
  }

  @Test("a triplet that was set aside can be deleted; counts do not go down twice")
  func deletesSetAside() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.fill("cat", 3)
    let id = try await store.query(.init()).triplets[0].triplet
    await store.setAside(id, reason: "a test")
    #expect(store.summary.quarantined == 1)
    #expect(try await store.delete([id]).deleted == 1)
    #expect(store.summary.quarantined == 0 && store.summary.triplets == 2)
    #expect(try store.counts().categories.map(\.stock) == [2])
    #expect(try await store.check(isDeep: true).problems == [])
  }

  @Test("a triplet whose rows are damaged can be deleted, and its seal goes on to say so")
  func deletesDamagedRows() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 2)
    let id = try await store.query(.init()).triplets[0].triplet
    await store.close()
    let queue = try DatabaseQueue(path: fixture.path + "/catalog.sqlite")
    try await queue.write { db in
      try db.execute(sql: "UPDATE triplet SET prompt = 'other' WHERE id = ?", arguments: [id])
    }
    try queue.close()
    store = try fixture.open()
    #expect(try await store.delete([id]).deleted == 1)
    let isSealed = try await store.read("looking") { db in
      try uncheckedTriplet(db, id)?.isSealed
    }
    #expect(isSealed == false)
    #expect(try await store.compact().forgotten == 1)
    // Words of the prompt that it had before are left in the full text.
    let problems = try await store.check(isDeep: true).problems
    #expect(problems.count == 1 && problems[0].contains("'groundwell recount' mends it"))
    _ = try await store.recount()
    #expect(try await store.check(isDeep: true).problems == [])
  }

  @Test("an item whose triplet was deleted is imported anew")
  func importsAnew() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    let triplet = try EncodedTriplet(.sample())
    let first = try await store.importItems([("a", triplet)], source: "s")[0]
    _ = try await store.delete([first.triplet])
    let second = try await store.importItems([("a", triplet)], source: "s")[0]
    #expect(!second.duplicate && second.triplet > first.triplet)
    #expect(try await store.compact().forgotten == 1)
    #expect(try await store.importItems([("a", triplet)], source: "s")[0].duplicate)
  }

  @Test("a snapshot outlives its holder for a while, and the process; then it goes")
  func lingers() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 3)
    let ids = try await store.query(.init()).triplets.map(\.triplet)
    var hold: SnapshotHold? = try store.hold()
    let snapshot = try #require(hold?.snapshot)
    try await store.keepSnapshots()
    _ = try await store.delete([ids[0]])
    hold = nil
    #expect(try await store.compact().held == 1)
    await store.close()
    store = try fixture.open()
    #expect(try await store.compact().oldestHeld == snapshot)
    #expect(try await store.view([CategoryName("cat")], at: snapshot).categories[0].count == 3)
    fixture.advance(seconds: 601)
    #expect(try await store.compact().forgotten == 1)
    let error = await #expect(throws: StoreError.self) {
      _ = try await store.view([CategoryName("cat")], at: snapshot)
    }
    #expect(error?.code == .snapshotGone)
    #expect(error?.message.contains("the oldest that is whole is \(snapshot + 1)") == true)
    #expect(throws: StoreError.self) { _ = try store.hold(snapshot) }
  }

  @Test("a holder who says that he is done leaves nothing behind")
  func finishes() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.fill("cat", 2)
    var hold: SnapshotHold? = try store.hold()
    try await store.keepSnapshots()
    _ = try await store.delete([try await store.query(.init()).triplets[0].triplet])
    hold?.finish()
    hold = nil
    try await store.keepSnapshots()
    #expect(try await store.compact().forgotten == 1)
    let promises = try await store.read("looking") { db in
      try Int.fetchOne(db, sql: "SELECT count(*) FROM snapshot_lease")
    }
    #expect(promises == 0)
    _ = hold
  }
}
