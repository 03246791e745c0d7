import Foundation
import GRDB
import Schema
import Synchronization
import TestSupport
import Testing

@testable import Store

/// P7: a store of an older version is migrated whole or not at all, one of a newer version refused.
@Suite struct MigrationTests {
  /// A copy of `Tests/Fixtures/store-v1`, which the first release's daemon wrote and was stopped.
  private func oldStore() throws -> (TemporaryDirectory, path: String) {
    let directory = try TemporaryDirectory()
    let path = directory.file("store")
    try FileManager.default.copyItem(at: Self.fixture, to: URL(fileURLWithPath: path))
    return (directory, path)
  }

  private static let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures/store-v1")

  /// Ids and prompts as the old daemon answered them.
  private func expected() throws -> [(id: TripletID, prompt: String)] {
    let text = try String(
      contentsOf: Self.fixture.appendingPathComponent("triplets.txt"), encoding: .utf8)
    return try text.split(separator: "\n").map { line in
      let parts = line.split(separator: " ", maxSplits: 2)
      return (try #require(TripletID(parts[0])), String(parts[2]))
    }
  }

  private func verify(_ path: String) async throws {
    let store = try TripletStore(path)
    #expect(store.catalogVersion == 3)
    let expected = try expected()
    #expect(store.summary.triplets == expected.count)
    for (id, prompt) in expected { #expect(try await store.triplet(id).info.prompt == prompt) }
    #expect(try await store.check(isDeep: true).problems == [])
    let counts = try store.counts().categories
    #expect(counts.map(\.category.text) == ["bus", "cat", "dog"])
    #expect(counts.map(\.stock) == [2, 6, 4])
    // The open job goes on where it was, and its items still know what they became.
    let left = try await store.lease(
      WorkLease.Params(worker: "test", engines: ["harness"], count: 9, leaseSeconds: 30))
    #expect(left.count == 3)
    try await store.fill("fish", 2)
    await store.close()
    let again = try TripletStore(path)
    #expect(try await again.check(isDeep: true).problems == [])
    #expect(again.summary.triplets == expected.count + 2)
    await again.close()
  }

  @Test("P7: a store of version 1 is migrated with all it holds")
  func migratesVersion1() async throws {
    let (directory, path) = try oldStore()
    try await verify(path)
    withExtendedLifetime(directory) {}
  }

  @Test("P7: a store of version 2 is migrated, and its prompts are not indexed twice")
  func migratesVersion2() async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 3)
    await store.close()
    let queue = try DatabaseQueue(path: fixture.path + "/catalog.sqlite")
    try await queue.write { db in
      try db.execute(
        sql: """
          ALTER TABLE store DROP COLUMN last_indexed;
          DELETE FROM grdb_migrations WHERE identifier = 'catalog_v3'
          """)
    }
    try queue.close()
    store = try fixture.open()
    #expect(await store.promptsWaiting == 0)
    #expect(try await store.search(.init(text: "photograph")).triplets.count == 3)
    #expect(try await store.check(isDeep: true).problems == [])
    await store.close()
  }

  @Test("P7: a migration that is cut off leaves version 1, and the next open finishes it")
  func migrationIsAllOrNothing() async throws {
    for point in [Failpoint.migrationBefore, .migrationInside, .migrationAfter] {
      let (directory, path) = try oldStore()
      let failpoints = Failpoints { (here) throws(StoreError) in
        guard here != point else { throw StoreError(.unwritable, "cut off") }
      }
      let error = #expect(throws: StoreError.self) {
        _ = try TripletStore(path, options: StoreOptions(failpoints: failpoints))
      }
      #expect(error?.message.contains("cut off") == true, "\(point)")
      let queue = try DatabaseQueue(path: path + "/catalog.sqlite")
      let seen = try await queue.read { db in
        try String.fetchAll(db, sql: "SELECT identifier FROM grdb_migrations")
      }
      try queue.close()
      #expect(seen.count == (point == .migrationAfter ? 3 : 1))
      try await verify(path)
      withExtendedLifetime(directory) {}
    }
  }

  @Test("a catalog that is missing or empty beside its packs is refused, and nothing is changed")
  func refusesMissingCatalog() async throws {
    for isMissing in [true, false] {
      let (directory, path) = try oldStore()
      let pack = try Data(contentsOf: URL(fileURLWithPath: path + "/packs/000001.pack"))
      try FileManager.default.removeItem(atPath: path + "/catalog.sqlite")
      if !isMissing { try Data().write(to: URL(fileURLWithPath: path + "/catalog.sqlite")) }
      let error = #expect(throws: StoreError.self) { _ = try TripletStore(path) }
      #expect(error?.code == .catalogDamaged)
      #expect(error?.message.contains("catalog.sqlite is missing or empty") == true)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path + "/packs/000001.pack")) == pack)
      withExtendedLifetime(directory) {}
    }
  }

  @Test("a database of something else in the catalog's place is refused by name")
  func refusesForeignDatabase() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("store")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let queue = try DatabaseQueue(path: path + "/catalog.sqlite")
    try await queue.write { db in try db.execute(sql: "CREATE TABLE other (x)") }
    try queue.close()
    let error = #expect(throws: StoreError.self) { _ = try TripletStore(path) }
    #expect(error?.message.contains("no catalog of Groundwell") == true)
  }

  @Test("a pack that the catalog does not know is refused while it holds data, else removed")
  func unknownPacks() async throws {
    let (directory, path) = try oldStore()
    try await TripletStore(path).close()
    let pack = path + "/packs/000001.pack"
    try FileManager.default.copyItem(atPath: pack, toPath: path + "/packs/000007.pack")
    let error = #expect(throws: StoreError.self) { _ = try TripletStore(path) }
    #expect(error?.message.contains("the catalog does not know it") == true)
    try Data(Data(contentsOf: URL(fileURLWithPath: pack)).prefix(64))
      .write(to: URL(fileURLWithPath: path + "/packs/000007.pack"))
    let store = try TripletStore(path)
    #expect(!FileManager.default.fileExists(atPath: path + "/packs/000007.pack"))
    await store.close()
    withExtendedLifetime(directory) {}
  }

  @Test("a catalog whose tables were damaged is refused, naming the first odd one")
  func refusesDamagedSchema() async throws {
    let (directory, path) = try oldStore()
    try await TripletStore(path).close()
    let url = URL(fileURLWithPath: path + "/catalog.sqlite")
    var bytes = try Data(contentsOf: url)
    let text = Data("worker TEXT NOT NULL".utf8)
    let range = try #require(bytes.range(of: text))
    bytes[range.lowerBound] = UInt8(ascii: "v")
    try bytes.write(to: url)
    let error = #expect(throws: StoreError.self) { _ = try TripletStore(path) }
    #expect(error?.code == .catalogDamaged)
    withExtendedLifetime(directory) {}
  }
}
