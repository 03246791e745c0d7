import Foundation
import GRDB
import Schema
import Synchronization
import TestSupport
import Testing

@testable import Store

/// What a store promises about triplets: durable, whole, checked, counted.
@Suite struct TripletStoreTests {
  @Test("a submitted triplet is read back with every part, also after reopening")
  func roundTrip() async throws {
    let fixture = try StoreFixture()
    let sent = try Triplet.sample(seed: 9, side: 16, categories: ["cat", "dog", "cat"])
    var store = try fixture.open()
    _ = try await store.order("cat", target: 1)
    let item = try #require(try await store.take(1).first)
    let result = try await store.submit(item.lease, EncodedTriplet(sent))
    #expect(!result.duplicate)
    for _ in 0..<2 {
      let (info, image, masks) = try await store.triplet(result.triplet)
      #expect(image == sent.image)
      #expect(masks == sent.masks.map(\.mask))
      #expect(info.prompt == sent.prompt)
      #expect(info.provenance == sent.provenance)
      #expect(info.masks.map(\.category.text) == ["cat", "dog", "cat"])
      #expect(info.masks.map(\.instance) == [0, 0, 1])
      #expect(info.masks.map(\.pixelCount) == sent.masks.map(\.mask.pixelCount))
      let counts = try store.counts().categories
      #expect(counts.map(\.category.text) == ["cat", "dog"])
      #expect(counts.map(\.stock) == [1, 1])
      #expect(counts.map(\.instances) == [2, 1])
      await store.close()
      store = try fixture.open()
    }
  }

  @Test("many writers at once share commits, and every one is durable when it is told so")
  func groupCommit() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 200)
    let items = try await store.take(200)
    #expect(items.count == 200)
    let ids = try await withThrowingTaskGroup(of: TripletID.self) { group in
      for item in items {
        group.addTask {
          let triplet = try Triplet.sample(seed: UInt64(item.seed))
          return try await store.submit(item.lease, EncodedTriplet(triplet)).triplet
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(Set(ids).count == 200)
    #expect(try store.counts().categories.first?.stock == 200)
    let job = try #require(try await store.jobs(JobList.Params()).first)
    #expect(job.state == .done)
    let check = try await store.check(isDeep: true)
    #expect(check.problems == [])
    #expect(check.blobsRead == 400)
  }

  @Test("changes that wait together share one commit; a commit that changes nothing tells nobody")
  func sharesCommits() async throws {
    let directory = try TemporaryDirectory()
    let commits = Mutex(0)
    let store = try TripletStore(
      directory.file("store"), onChange: { _ in commits.withLock { $0 += 1 } })
    _ = try await store.order("cat", target: 100)
    let items = try await store.take(100)
    let before = commits.withLock { $0 }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for item in items {
        group.addTask {
          let triplet = try Triplet.sample(seed: UInt64(item.seed), side: 16)
          _ = try await store.submit(item.lease, EncodedTriplet(triplet))
        }
      }
      try await group.waitForAll()
    }
    let shared = commits.withLock { $0 } - before
    #expect(shared >= 1 && shared < 100)
    let after = commits.withLock { $0 }
    #expect(try await store.take(1) == [])
    #expect(commits.withLock { $0 } == after)
  }

  @Test("a change that breaks a rule of the catalog fails alone, its neighbours are made")
  func failsAlone() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    _ = try await store.order("cat", target: 20)
    let items = try await store.take(20)
    let codes = try await withThrowingTaskGroup(of: StoreError.Code?.self) { group in
      for (index, item) in items.enumerated() {
        group.addTask {
          let triplet = try EncodedTriplet(.sample(seed: UInt64(item.seed)))
          do throws(StoreError) {
            if index % 4 == 3 {
              try await store.breakRule()
            } else {
              _ = try await store.submit(item.lease, triplet)
            }
            return nil
          } catch {
            return error.code
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(codes.compactMap(\.self) == Array(repeating: .invalidArgument, count: 5))
    #expect(store.summary.triplets == 15)
    #expect(try await store.check(isDeep: true).problems == [])
  }

  @Test("values that the catalog could not keep are refused before anything is written")
  func refusesUnkeepableValues() throws {
    func refusal(_ change: (inout Triplet) -> Void) throws -> String? {
      var triplet = try Triplet.sample()
      change(&triplet)
      do throws(StoreError) {
        _ = try EncodedTriplet(triplet)
        return nil
      } catch {
        return error.message
      }
    }
    #expect(try refusal { $0.provenance.steps = -1 }?.contains("steps is -1") == true)
    let zero = "a text holds a zero byte, which no field may"
    #expect(try refusal { $0.prompt = "a cat\u{0} on grass" } == zero)
    #expect(try refusal { $0.provenance.worker = "w\u{0}" } == zero)
    #expect(try refusal { $0.provenance.guidanceScale = .nan }?.contains("guidance_scale") == true)
    #expect(try refusal { _ in } == nil)
  }

  @Test("after a commit that nobody knows the end of, changes are refused and nothing is cut off")
  func uncertainCommit() async throws {
    let error = StoreError.database(
      DatabaseError(resultCode: .SQLITE_IOERR_FSYNC, message: "disk I/O error"), "committing")
    #expect(error.isUncertain)
    #expect(error.code == .unwritable)
    let full = StoreError.database(DatabaseError(resultCode: .SQLITE_FULL), "committing")
    #expect(!full.isUncertain)
    let rule = StoreError.database(DatabaseError(resultCode: .SQLITE_CONSTRAINT_CHECK), "a change")
    #expect(rule.code == .invalidArgument)
  }

  @Test("bytes behind the last acknowledged record are cut off at open")
  func cutsOffUnacknowledged() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 3)
    await store.close()
    let pack = try fixture.pack()
    try fixture.writePack(pack + Data(repeating: 0xAB, count: 1000))
    store = try fixture.open()
    #expect(try fixture.pack() == pack)
    try await store.fill("cat", 5)
    #expect(try await store.check(isDeep: true).problems == [])
  }

  @Test("a pack that is shorter than what was acknowledged is refused with both lengths")
  func refusesShortPack() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.fill("cat", 3)
    await store.close()
    let pack = try fixture.pack()
    try fixture.writePack(pack.dropLast(8))
    let error = #expect(throws: StoreError.self) { _ = try fixture.open() }
    #expect(error?.code == .corrupt)
    #expect(
      error?.message.contains("has \(pack.count - 8) bytes, the catalog needs \(pack.count)")
        == true)
  }

  @Test("a missing pack, and one of another store, are refused by name")
  func refusesForeignPack() async throws {
    let (fixture, other) = (try StoreFixture(), try StoreFixture())
    for fixture in [fixture, other] {
      let store = try fixture.open()
      try await store.fill("cat", 1)
      await store.close()
    }
    try fixture.writePack(try other.pack())
    var error = #expect(throws: StoreError.self) { _ = try fixture.open() }
    #expect(error?.message.contains("is no pack 1 of this store") == true)
    try FileManager.default.removeItem(atPath: fixture.path + "/packs/000001.pack")
    error = #expect(throws: StoreError.self) { _ = try fixture.open() }
    #expect(error?.message.contains("000001.pack is missing") == true)
  }

  @Test("one flipped bit is found on read, set aside, and never served")
  func quarantinesFlippedBit() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 3, with: ["dog"])
    let before = store.summary.snapshot
    await store.close()
    var pack = try fixture.pack()
    pack[PackLayout.fileHeaderBytes + PackLayout.recordHeaderBytes + 5] ^= 0x10
    try fixture.writePack(pack)
    store = try fixture.open()
    let id = try await store.view([CategoryName("cat")]).triplet(category: 0, item: 0)
    for _ in 0..<2 {
      let error = await #expect(throws: StoreError.self) { _ = try await store.triplet(id) }
      #expect(error?.code == .corrupt)
    }
    #expect(try store.counts().categories.map(\.stock) == [2, 2])
    #expect(store.summary.quarantined == 1)
    #expect(try await store.check(isDeep: false).problems == [])
    #expect(try await store.check(isDeep: false).quarantined == [id])
    // A stream that saw it keeps its place in the order; a new one does not see it.
    #expect(try await store.view([CategoryName("cat")], at: before).categories[0].count == 3)
    #expect(try await store.view([CategoryName("cat")]).categories[0].count == 2)
    await store.close()
    store = try fixture.open()
    #expect(try store.counts().categories.map(\.stock) == [2, 2])
    #expect(try await store.view([CategoryName("cat")], at: before).categories[0].count == 3)
  }

  @Test("a record at the wrong place is found although its own checksum holds")
  func findsMisdirectedRecord() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.fill("cat", 2)
    await store.close()
    var pack = try fixture.pack()
    // Two triplets of one size: the second's records over the first's.
    let half = (pack.count - PackLayout.fileHeaderBytes) / 2
    let second = pack.suffix(half)
    pack.replaceSubrange(
      PackLayout.fileHeaderBytes..<(PackLayout.fileHeaderBytes + half), with: second)
    try fixture.writePack(pack)
    let reopened = try fixture.open()
    let check = try await reopened.check(isDeep: true)
    #expect(check.quarantined.count == 1)
    #expect(check.problems.count == 1)
  }

  @Test("a second owner is refused with the first one's process id")
  func refusesSecondOwner() throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    let error = #expect(throws: StoreError.self) { _ = try fixture.open() }
    #expect(error?.code == .locked)
    let pid = ProcessInfo.processInfo.processIdentifier
    #expect(error?.message.contains("is in use by process \(pid)") == true)
    withExtendedLifetime(store) {}
  }

  @Test("a store of a newer version is refused, and left as it is")
  func refusesNewerVersion() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    await store.close()
    let catalog = fixture.path + "/catalog.sqlite"
    let queue = try DatabaseQueue(path: catalog)
    try await queue.write { db in
      try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('catalog_v99')")
    }
    try queue.close()
    let bytes = try Data(contentsOf: URL(fileURLWithPath: catalog))
    let error = #expect(throws: StoreError.self) { _ = try fixture.open() }
    #expect(error?.code == .newerVersion)
    #expect(error?.message.contains("written by a newer Groundwell") == true)
    #expect(try Data(contentsOf: URL(fileURLWithPath: catalog)) == bytes)
  }

  @Test("a catalog that is no database is refused as damaged")
  func refusesForeignFile() throws {
    let fixture = try StoreFixture()
    try FileManager.default.createDirectory(
      atPath: fixture.path, withIntermediateDirectories: true)
    try Data("not a database, but long enough to be read as one".utf8)
      .write(to: URL(fileURLWithPath: fixture.path + "/catalog.sqlite"))
    let error = #expect(throws: StoreError.self) { _ = try fixture.open() }
    #expect(error?.code == .catalogDamaged)
  }

  @Test("a folder that cannot be written is refused with the system's reason")
  func refusesUnwritableFolder() throws {
    let error = #expect(throws: StoreError.self) { _ = try TripletStore("/proc/groundwell") }
    #expect(error?.code == .unwritable)
    #expect(error?.message.hasPrefix("/proc/groundwell") == true)
  }

  @Test("a snapshot is a prefix: what comes later does not change what it shows")
  func snapshotsArePrefixes() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    let cat = try CategoryName("cat")
    try await store.fill("cat", 4)
    let old = try await store.view([cat])
    let ids = (0..<4).map { old.triplet(category: 0, item: $0) }
    try await store.fill("cat", 9)
    #expect(old.categories[0].count == 4)
    #expect((0..<4).map { old.triplet(category: 0, item: $0) } == ids)
    let again = try await store.view([cat], at: old.snapshot)
    #expect(again.categories[0].count == 4)
    #expect((0..<4).map { again.triplet(category: 0, item: $0) } == ids)
    let error = await #expect(throws: StoreError.self) {
      _ = try await store.view([cat], at: store.summary.snapshot + 1)
    }
    #expect(error?.code == .snapshotGone)
  }

  @Test("queries combine category, engine, source and time, in pages")
  func queries() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.fill("cat", 3, with: ["dog"])
    fixture.advance(seconds: 100)
    try await store.fill("bus", 2)
    func ids(_ query: TripletQuery.Params) async throws -> [TripletID] {
      try await store.query(query).triplets.map(\.triplet)
    }
    let all = try await ids(.init())
    #expect(all.count == 5)
    #expect(try await ids(.init(descending: true)) == all.reversed())
    #expect(try await ids(.init(category: CategoryName("dog"))) == Array(all.prefix(3)))
    #expect(try await ids(.init(engine: "scenes")).count == 5)
    #expect(try await ids(.init(engine: "diffusion")) == [])
    #expect(try await ids(.init(source: .exact)).count == 5)
    #expect(try await ids(.init(category: CategoryName("cat"), source: .oracle)) == [])
    let late: Int64 = 1_700_000_050_000_000
    #expect(try await ids(.init(sinceMicroseconds: late)) == Array(all.suffix(2)))
    #expect(try await ids(.init(untilMicroseconds: late)) == Array(all.prefix(3)))
    let page = try await store.query(.init(limit: 2))
    #expect(page.next == all[1])
    #expect(try await ids(.init(after: page.next)) == Array(all.suffix(3)))
    #expect(try await store.query(.init(limit: 5)).next == nil)
    let error = await #expect(throws: StoreError.self) {
      _ = try await store.query(.init(category: CategoryName("unicorn")))
    }
    #expect(error?.code == .categoryUnknown)
    #expect(error?.message.hasPrefix("no category 'unicorn' in this store") == true)
  }

  @Test("a commit waits for triplets that are being prepared, and not longer than its time")
  func gathers() async throws {
    let directory = try TemporaryDirectory()
    let isMoreComing = Mutex(true)
    let commits = Mutex<[Int]>([])
    var options = StoreOptions()
    options.isMoreComing = { isMoreComing.withLock { $0 } }
    options.gatheringTime = .seconds(60)
    let store = try TripletStore(
      directory.file("store"), options: options,
      onChange: { change in commits.withLock { $0.append(change.addedTriplets) } })
    let triplets = try (1...4).map { try EncodedTriplet(Triplet.sample(seed: UInt64($0))) }
    func add(_ number: Int) async throws {
      _ = try await store.importItems(
        [("item \(number)", triplets[number])], source: "test")
    }
    async let first: Void = add(0)
    while store.pending.count == 0 { await Task.yield() }
    async let second: Void = add(1)
    while store.pending.count < 2 { await Task.yield() }
    #expect(commits.withLock { $0 }.isEmpty)
    isMoreComing.withLock { $0 = false }
    // The last one that was expected; nobody waits for the time to pass.
    let start = ContinuousClock.now
    try await add(2)
    _ = try await (first, second)
    #expect(ContinuousClock.now - start < .seconds(30))
    #expect(commits.withLock { $0 } == [3])
    await store.close()
    options.gatheringTime = .milliseconds(1)
    isMoreComing.withLock { $0 = true }
    let other = try TripletStore(directory.file("other"), options: options)
    _ = try await other.importItems([("alone", triplets[3])], source: "test")
    #expect(other.summary.triplets == 1)
  }

  @Test("a recount in the same commit as new triplets counts none of them twice")
  func recountsBesideImports() async throws {
    let directory = try TemporaryDirectory()
    let isMoreComing = Mutex(false)
    var options = StoreOptions()
    options.isMoreComing = { isMoreComing.withLock { $0 } }
    options.gatheringTime = .seconds(60)
    let store = try TripletStore(directory.file("store"), options: options)
    let triplet = try EncodedTriplet(Triplet.sample(seed: 1))
    _ = try await store.importItems([("old", triplet)], source: "test")
    isMoreComing.withLock { $0 = true }
    async let added = store.importItems([("new", triplet)], source: "test")
    while store.pending.count == 0 { await Task.yield() }
    async let recounted = store.recount()
    while store.pending.count < 2 { await Task.yield() }
    isMoreComing.withLock { $0 = false }
    _ = try await store.importItems([("last", triplet)], source: "test")
    _ = try await (added, recounted)
    #expect(try await store.check(isDeep: true).problems == [])
    #expect(try await store.search(.init(text: "photograph")).triplets.count == 3)
  }

  @Test("a pack is sealed between commits when it is full, and the next one takes over")
  func sealsPacks() throws {
    let directory = try TemporaryDirectory()
    let folder = PackFolder(directory.path, store: UUID())
    var writer = try PackWriter(
      folder, number: 0, newest: 0, committedBytes: 0, isSealed: true, sealBytes: 2000
    ) { (_) throws(StoreError) in }
    var places: [(BlobPlace, TripletID)] = []
    for id in 1...6 {
      let record = PackRecord(
        kind: .image, ordinal: 0, triplet: TripletID(id),
        blob: EncodedBlob(
          codec: .raw, payload: Array(repeating: UInt8(id), count: 700), decodedBytes: 700))
      places.append((try writer.append(record), TripletID(id)))
      try writer.flush()
      try writer.sync()
      writer.commit()
    }
    #expect(places.map(\.0.pack) == [1, 1, 1, 2, 2, 2])
    for (place, id) in places {
      #expect(try folder.blob(place, of: id).payload == Array(repeating: UInt8(id), count: 700))
    }
  }

  @Test("what was appended and not committed is forgotten by a roll-back")
  func rollsBack() throws {
    let directory = try TemporaryDirectory()
    let folder = PackFolder(directory.path, store: UUID())
    var writer = try PackWriter(
      folder, number: 0, newest: 0, committedBytes: 0, isSealed: true
    ) { (_) throws(StoreError) in }
    func record(_ ordinal: Int, _ payload: [UInt8]) -> PackRecord {
      PackRecord(
        kind: .mask, ordinal: ordinal, triplet: 1,
        blob: EncodedBlob(codec: .raw, payload: payload, decodedBytes: 3))
    }
    let first = try writer.append(record(2, [1, 0, 1]))
    try writer.flush()
    writer.commit()
    let end = writer.endBytes
    for isWritten in [true, false] {
      _ = try writer.append(record(4, [1, 1, 1]))
      if isWritten { try writer.flush() }
      try writer.rollBack()
      #expect(writer.endBytes == end)
      #expect(try folder.file(1).length() == end)
    }
    // What was gathered then does not come back.
    let place = try writer.append(record(3, [0, 1, 1]))
    try writer.flush()
    #expect(place.offset == end)
    #expect(try folder.blob(place, of: 1).payload == [0, 1, 1])
    #expect(try folder.blob(first, of: 1).payload == [1, 0, 1])
  }
}
