import Foundation
import GRDB
import Schema
import Synchronization
import TestSupport
import Testing

@testable import Store

/// The promises of the design, each by its name; the suites beside this one go into their corners.
@Suite struct PromiseTests {
  /// Every moment of a commit at which the process may end.
  private static let moments: [Failpoint] = [
    .packCreateBefore, .packCreateInside, .packCreateAfter, .appendBefore, .appendInside,
    .appendAfter, .syncBefore, .syncAfter, .transactionBefore, .transactionInside,
    .transactionAfter, .checkpointBefore, .checkpointAfter, .deleteBefore, .deleteAfter,
    .compactionPurgeAfter, .compactionMoveAfter, .compactionSwapInside, .compactionSwapAfter,
  ]

  /// What a client was told.
  private final class Told: Sendable {
    let triplets = Mutex<[TripletID: Triplet]>([:])
    let deleted = Mutex<Set<TripletID>>([])
  }

  /// Adds, deletes and compacts until something throws; notes what was acknowledged.
  private func work(_ store: TripletStore, _ told: Told) async {
    do {
      for round in 0..<12 {
        let made = try (0..<4).map {
          try Triplet.sample(seed: UInt64(round * 10 + $0 + 1), categories: ["cat", "dog"])
        }
        let items = try made.enumerated().map {
          (name: "\(round) \($0)", triplet: try EncodedTriplet($1))
        }
        let outcomes = try await store.importItems(items, source: "s")
        told.triplets.withLock { told in
          for (outcome, triplet) in zip(outcomes, made) { told[outcome.triplet] = triplet }
        }
        let victim = outcomes[0].triplet
        // Asked for, and perhaps done, from here on.
        told.deleted.withLock { _ = $0.insert(victim) }
        _ = try await store.delete([victim])
        if round % 4 == 3 { _ = try await store.compact(deadPercent: 1) }
      }
    } catch {
      // Ended.
    }
  }

  /// Runs ``work(_:_:)`` until a moment comes the `count`th time; answers a copy of the store's
  /// folder as it was then, which is what is left when the process is killed.
  private func killed(
    at point: Failpoint, _ count: Int, _ directory: TemporaryDirectory, _ told: Told
  ) async throws -> String {
    let reached = Mutex(0)
    let (path, copy) = (directory.file("store"), directory.file("copy"))
    var options = StoreOptions(
      failpoints: Failpoints { (here) throws(StoreError) in
        let isOver = reached.withLock { reached in
          if here == point { reached += 1 }
          return reached >= count
        }
        guard isOver else { return }
        do {
          if !FileManager.default.fileExists(atPath: copy) {
            try FileManager.default.copyItem(atPath: path, toPath: copy)
          }
        } catch {
          Issue.record("\(error)")
        }
        throw StoreError(.unwritable, "killed")
      })
    options.sealBytes = 16 << 10
    options.snapshotLingerSeconds = 0
    let store = try TripletStore(path, options: options)
    await work(store, told)
    if !FileManager.default.fileExists(atPath: copy) {
      try FileManager.default.copyItem(atPath: path, toPath: copy)
    }
    withExtendedLifetime(store) {}
    return copy
  }

  private func expectKept(_ path: String, _ told: Told, _ point: Failpoint) async throws {
    let store = try TripletStore(path)
    let deleted = told.deleted.withLock { $0 }
    for (id, triplet) in told.triplets.withLock({ $0 }) where !deleted.contains(id) {
      let (_, image, masks) = try await store.triplet(id)
      #expect(image == triplet.image && masks == triplet.masks.map(\.mask), "\(point)")
    }
    // Also those of which nobody was told are whole: two masks each, every byte as written.
    let check = try await store.check(isDeep: true)
    #expect(check.problems == [] && check.quarantined == [], "\(point)")
    #expect(check.masks == 2 * check.triplets && check.blobsRead == 3 * check.triplets, "\(point)")
    await store.close()
  }

  @Test("P1, P2: what was acknowledged survives a kill at any moment, all of it or nothing shows")
  func p1AndP2Kill() async throws {
    for point in Self.moments {
      for count in [1, 2, 5] {
        let (directory, told) = (try TemporaryDirectory(), Told())
        let copy = try await killed(at: point, count, directory, told)
        try await expectKept(copy, told, point)
      }
    }
  }

  @Test("P1: bytes that were not synced may be torn or missing after a power loss; none is needed")
  func p1PowerLoss() async throws {
    var random = SeededGenerator(11)
    for point in [Failpoint.appendInside, .appendAfter, .syncBefore] {
      for count in 1...4 {
        let (directory, told) = (try TemporaryDirectory(), Told())
        let copy = try await killed(at: point, count, directory, told)
        // Where the catalog says that a pack ends, the disk has said that it has it.
        let queue = try DatabaseQueue(path: copy + "/catalog.sqlite")
        let ends = try await queue.read { db in
          try Row.fetchAll(db, sql: "SELECT id, committed_bytes FROM pack").map {
            (try $0.get("id") as Int, try $0.get("committed_bytes") as Int)
          }
        }
        try queue.close()
        for (pack, end) in ends {
          let url = URL(fileURLWithPath: copy + "/packs/" + PackFolder.name(pack))
          var bytes = try Data(contentsOf: url)
          guard bytes.count > end else { continue }
          let kept = Int.random(in: end...bytes.count, using: &random)
          bytes = bytes.prefix(kept)
          for index in stride(from: end, to: kept, by: 97) { bytes[index] ^= 0xA5 }
          try bytes.write(to: url)
        }
        try await expectKept(copy, told, point)
      }
    }
  }

  @Test("P3: a flipped bit anywhere in a pack is harmless, or reported by id; never served")
  func p3FlippedBits() async throws {
    let (directory, told) = (try TemporaryDirectory(), Told())
    let path = directory.file("store")
    var store = try TripletStore(path)
    await work(store, told)
    await store.close()
    let original = told.triplets.withLock { $0 }
    let packs = try FileManager.default.contentsOfDirectory(atPath: path + "/packs").sorted()
    let pack = URL(fileURLWithPath: path + "/packs/" + (packs.first ?? ""))
    let whole = try Data(contentsOf: pack)
    var random = SeededGenerator(3)
    var reported = 0
    for _ in 0..<60 {
      var bytes = whole
      let bit = Int.random(in: (64 * 8)..<(bytes.count * 8), using: &random)
      bytes[bit / 8] ^= 1 << (bit % 8)
      try bytes.write(to: pack)
      let copy = directory.file("copy")
      try FileManager.default.copyItem(atPath: path, toPath: copy)
      store = try TripletStore(copy)
      for info in try await store.query(.init(limit: 1000)).triplets {
        let triplet = try #require(original[info.triplet])
        do throws(StoreError) {
          let (_, image, masks) = try await store.triplet(info.triplet)
          #expect(image == triplet.image && masks == triplet.masks.map(\.mask))
        } catch {
          #expect(error.code == .corrupt)
          reported += 1
          let aside = try await store.quarantined(.init()).triplets
          #expect(aside.map(\.triplet) == [info.triplet])
          #expect(aside.first?.reason.contains("triplet \(info.triplet)") == true)
        }
      }
      await store.close()
      try FileManager.default.removeItem(atPath: copy)
    }
    #expect(reported > 30)
  }

  @Test("P4: batch k is the same bytes while its snapshot is held, whatever happens to the store")
  func p4SameBytes() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 12, with: ["dog"])
    try await store.fill("bus", 5)
    let names = try ["bus", "cat", "dog"].map { try CategoryName($0) }
    func bytes(_ snapshot: Int64) async throws -> [[UInt8]] {
      let view = try await store.view(names, at: snapshot)
      let plan = try BatchPlan(
        batchSize: 8, categories: view.categories.map { ($0.name, $0.count) }, seed: 5)
      var batches: [[UInt8]] = []
      for k in 0..<6 {
        let ids = view.triplets(plan.draws(batch: k))
        var batch = ids.flatMap(\.littleEndianBytes)
        let reader = store.reader()
        for facts in try await store.facts(ids) {
          try reader.load(facts)
          var pixels = [UInt8](repeating: 0, count: 3 * facts.width * facts.height)
          // Safe: the array has the bytes of the image and lives through the call.
          try unsafe pixels.withUnsafeMutableBytes { buffer in
            try unsafe reader.decodeImage(into: buffer, order: .interleaved)
          }
          batch += pixels
        }
        batches.append(batch)
      }
      return batches
    }
    let hold = try store.hold()
    let before = try await bytes(hold.snapshot)
    let ids = try await store.query(.init(limit: 100)).triplets.map(\.triplet)
    _ = try await store.delete(ids.enumerated().filter { $0.offset % 3 == 0 }.map(\.element))
    try await store.fill("cat", 20, with: ["unicorn"])
    #expect(try await store.compact(deadPercent: 1).held > 0)
    #expect(try await bytes(hold.snapshot) == before)
    try await store.keepSnapshots()
    await store.close()
    store = try fixture.open()
    _ = try await store.compact(deadPercent: 1)
    #expect(try await bytes(hold.snapshot) == before)
  }

  @Test("P5: counts equal a recount after any mixture of changes")
  func p5Counts() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    var random = SeededGenerator(5)
    let names = ["cat", "dog", "bus", "potted plant"]
    for round in 0..<60 {
      let live = try await store.query(.init(limit: 1000)).triplets.map(\.triplet)
      switch Int.random(in: 0..<6, using: &random) {
      case 0, 1:
        let some = names.shuffled(using: &random).prefix(2)
        let triplet = try EncodedTriplet(
          .sample(seed: UInt64(round + 1), categories: Array(some) + [some[0]]))
        _ = try await store.importItems([("\(round)", triplet)], source: "s")
      case 2: try await store.fill(names[round % 4], round / 8 + 1)
      case 3: _ = try await store.delete(live.filter { _ in Bool.random(using: &random) })
      case 4:
        if let id = live.randomElement(using: &random) { await store.setAside(id, reason: "x") }
        let aside = try await store.quarantined(.init()).triplets.map(\.triplet)
        if Bool.random(using: &random) { _ = try await store.release(aside) }
      default: _ = try await store.compact(deadPercent: 1)
      }
      #expect(try await store.check(isDeep: false).problems == [], "round \(round)")
      if round % 20 == 19 {
        await store.close()
        store = try fixture.open()
        #expect(try await store.check(isDeep: true).problems == [], "round \(round)")
      }
    }
  }

  @Test("P6: leases of work, snapshots and the store itself end within their time")
  func p6Leases() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 3)
    let items = try await store.take(3, seconds: 30)
    #expect(items.count == 3)
    #expect(try await store.take(3).isEmpty)
    fixture.advance(seconds: 29)
    #expect(try await store.take(3).isEmpty)
    fixture.advance(seconds: 2)
    #expect(try await store.take(3, seconds: 30).count == 3)
    try await store.fill("bus", 2)
    var hold: SnapshotHold? = try store.hold()
    _ = try await store.delete([try await store.query(.init()).triplets[0].triplet])
    fixture.advance(seconds: 100_000)
    #expect(try await store.compact().held == 1)
    hold = nil
    #expect(try await store.compact().held == 1)
    fixture.advance(seconds: Int64(StoreOptions().snapshotLingerSeconds) + 1)
    #expect(try await store.compact().held == 0)
    #expect(throws: StoreError.self) { _ = try fixture.open() }
    await store.close()
    try await fixture.open().close()
    _ = hold
  }

  @Test("P7: a store from a newer version is refused by name, an older one migrated")
  func p7Versions() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("store")
    let old = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures/store-v1")
    try FileManager.default.copyItem(at: old, to: URL(fileURLWithPath: path))
    let store = try TripletStore(path)
    let live = store.summary.triplets
    #expect(store.catalogVersion == 3 && live > 0)
    let first = try await store.query(.init()).triplets[0].triplet
    _ = try await store.delete([first])
    #expect(try await store.compact(deadPercent: 1).forgotten == 1)
    #expect(try await store.check(isDeep: true).problems == [])
    await store.close()
    let queue = try DatabaseQueue(path: path + "/catalog.sqlite")
    try await queue.write { db in
      try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('catalog_v4')")
    }
    try queue.close()
    let error = #expect(throws: StoreError.self) { _ = try TripletStore(path) }
    #expect(error?.code == .newerVersion)
    #expect(error?.message.contains("written by a newer Groundwell") == true)
  }
}
