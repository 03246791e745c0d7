import Foundation
import Schema
import Synchronization
import TestSupport
import Testing

@testable import Store

/// Compaction: space comes back, nothing else changes, whenever it is cut off.
@Suite struct CompactionTests {
  /// Options under which a pack is full after a few triplets.
  private func small(_ failpoints: Failpoints = .none) -> StoreOptions {
    var options = StoreOptions(failpoints: failpoints)
    options.sealBytes = 8 << 10
    options.snapshotLingerSeconds = 0
    return options
  }

  private func packs(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path + "/packs").sorted()
  }

  /// A store of several packs of which every other triplet is deleted; answers those that are left.
  private func halved(_ path: String) async throws -> [TripletID: RGBImage] {
    let store = try TripletStore(path, options: small())
    try await store.fill("cat", 40, with: ["dog"])
    let ids = try await store.query(.init()).triplets.map(\.triplet)
    var left: [TripletID: RGBImage] = [:]
    for (index, id) in ids.enumerated() where index % 2 == 1 {
      left[id] = try await store.triplet(id).image
    }
    _ = try await store.delete(ids.filter { left[$0] == nil })
    await store.close()
    return left
  }

  private func expectWhole(_ store: TripletStore, _ left: [TripletID: RGBImage]) async throws {
    #expect(store.summary.triplets == left.count)
    for (id, image) in left { #expect(try await store.triplet(id).image == image) }
    let check = try await store.check(isDeep: true)
    #expect(check.problems == [] && check.quarantined == [])
    #expect(check.blobsRead == 3 * left.count)
  }

  @Test("space comes back, what lives is where its rows say, also after reopening")
  func givesSpaceBack() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("store")
    let left = try await halved(path)
    var store = try TripletStore(path, options: small())
    let before = store.summary.packBytes
    let files = try packs(path)
    let result = try await store.compact()
    #expect(result.forgotten == 20 && result.moved == 20)
    #expect(result.packs == files.count)
    #expect(Set(try packs(path)).isDisjoint(with: files))
    #expect(store.summary.packBytes == before - result.freedBytes)
    #expect(Double(store.summary.packBytes) < Double(before) * 0.6)
    #expect(store.summary.deadBytes == 0 && store.summary.deleted == 0)
    for _ in 0..<2 {
      try await expectWhole(store, left)
      #expect(try await store.compact() == .init())
      await store.close()
      store = try TripletStore(path, options: small())
    }
    try await store.fill("bus", 3)
    #expect(try await store.check(isDeep: true).problems == [])
  }

  @Test("killed at any of its steps, the next open finds everything and finishes what was begun")
  func survivesEveryStep() async throws {
    let points: [Failpoint] = [
      .compactionPurgeBefore, .compactionPurgeAfter, .compactionMoveBefore, .appendBefore,
      .appendInside, .appendAfter, .syncBefore, .syncAfter, .transactionBefore,
      .transactionInside, .transactionAfter, .compactionMoveAfter, .compactionSwapBefore,
      .compactionSwapInside, .compactionSwapAfter, .compactionUnlinkAfter,
    ]
    for point in points {
      for count in [1, 3] {
        let directory = try TemporaryDirectory()
        let path = directory.file("store")
        let left = try await halved(path)
        let reached = Mutex(0)
        let store = try TripletStore(
          path,
          options: small(
            Failpoints { (here) throws(StoreError) in
              let isNow = reached.withLock { reached in
                if here == point { reached += 1 }
                return reached >= count
              }
              // From here on nothing of this process reaches the disk any more.
              if isNow { throw StoreError(.unwritable, "cut off") }
            }))
        do throws(StoreError) {
          _ = try await store.compact()
          #expect(count > 1, "\(point) is never reached")
        } catch {
          #expect(error.message == "cut off", "\(point)")
        }
        // Not closed: that would write.
        let copy = directory.file("copy")
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        let opened = try TripletStore(copy, options: small())
        try await expectWhole(opened, left)
        _ = try await opened.compact()
        try await expectWhole(opened, left)
        #expect(opened.summary.deadBytes == 0, "\(point)")
        await opened.close()
        withExtendedLifetime(store) {}
      }
    }
  }

  @Test("readers that looked a triplet up before it moved read it where it lies now")
  func readsWhatMoves() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("store")
    let left = try await halved(path)
    let store = try TripletStore(path, options: small())
    let ids = left.keys.sorted()
    let stale = try await store.facts(ids)
    _ = try await store.compact()
    let reader = store.reader()
    for facts in stale {
      let error = #expect(throws: StoreError.self) { try reader.load(facts) }
      #expect(error?.code == .moved)
    }
    for facts in try await store.facts(ids) { try reader.load(facts) }
    // While everything moves again and again, nobody notices.
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for (id, image) in left {
            for _ in 0..<5 {
              let found = try await store.triplet(id).image
              #expect(found == image)
            }
          }
        }
      }
      group.addTask {
        for _ in 0..<5 {
          try await store.fill("bus", 4)
          let buses = try await store.query(.init(category: CategoryName("bus"))).triplets
          _ = try await store.delete(buses.map(\.triplet))
          _ = try await store.compact(deadPercent: 1)
        }
      }
      try await group.waitForAll()
    }
  }

  @Test("nothing of a held snapshot goes, and all of it when it is let go")
  func neverUnderALease() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("store")
    let store = try TripletStore(path, options: small())
    try await store.fill("cat", 20)
    let cat = try CategoryName("cat")
    var hold: SnapshotHold? = try store.hold()
    let view = try await store.view([cat], at: hold?.snapshot)
    let ids = (0..<20).map { view.triplet(category: 0, item: $0) }
    _ = try await store.delete(ids)
    let kept = try await store.compact(deadPercent: 1)
    #expect(kept.forgotten == 0 && kept.held == 20 && kept.packs == 0)
    #expect(kept.oldestHeld == hold?.snapshot)
    let reader = store.reader()
    for facts in try await store.facts(ids) { try reader.load(facts) }
    hold = nil
    let gone = try await store.compact(deadPercent: 1)
    #expect(gone.forgotten == 20 && gone.held == 0)
    #expect(try packs(path) == [])
    #expect(store.summary.packBytes == 0)
    try await store.fill("cat", 3)
    #expect(try await store.check(isDeep: true).problems == [])
    _ = hold
  }

  @Test("a pack with a damaged triplet stays until that one is deleted")
  func leavesDamaged() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("store")
    var left = try await halved(path)
    let file = URL(fileURLWithPath: path + "/packs/000001.pack")
    var store = try TripletStore(path, options: small())
    let victim = try #require(left.keys.min())
    let facts = try #require(try await store.facts([victim]).first)
    await store.close()
    var bytes = try Data(contentsOf: file)
    bytes[facts.image.offset + 40] ^= 1
    try bytes.write(to: file)
    store = try TripletStore(path, options: small())
    let first = try await store.compact()
    #expect(first.damaged == [1])
    #expect(store.summary.quarantined == 1)
    #expect(FileManager.default.fileExists(atPath: file.path))
    // It is known as damaged by now, and not even tried.
    #expect(try await store.compact().damaged == [])
    left[victim] = nil
    _ = try await store.delete([victim])
    #expect(try await store.compact().packs == 1)
    #expect(!FileManager.default.fileExists(atPath: file.path))
    try await expectWhole(store, left)
  }

  @Test("one at a time; the second is told so")
  func oneAtATime() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.begin("a compaction")
    let error = await #expect(throws: StoreError.self) { _ = try await store.compact() }
    #expect(error?.code == .busy)
    #expect(error?.message == "a compaction is under way; ask again when it is over")
    await store.end()
    #expect(try await store.compact() == .init())
  }

  @Test("it is due when enough is dead, or something can be forgotten")
  func isDue() async throws {
    let directory = try TemporaryDirectory()
    let store = try TripletStore(directory.file("store"), options: small())
    #expect(try await !store.isCompactionDue(deadPercent: 50))
    try await store.fill("cat", 10)
    let ids = try await store.query(.init()).triplets.map(\.triplet)
    let hold = try store.hold()
    _ = try await store.delete(ids)
    #expect(try await !store.isCompactionDue(deadPercent: 50))
    withExtendedLifetime(hold) {}
  }
}
