import Foundation
import GRDB
import Schema
import Synchronization
import TestSupport
import Testing

@testable import Store

/// Backups: one moment, whole or not there; restored to the byte, or refused by name.
@Suite struct BackupTests {
  private final class Over: Sendable {
    let flag = Mutex(false)
  }

  private func filled(_ fixture: StoreFixture) async throws -> TripletStore {
    let store = try fixture.open()
    try await store.fill("cat", 10, with: ["dog"])
    return store
  }

  @Test("a backup restores to the same triplets, as another store or as the same")
  func roundTrip() async throws {
    let fixture = try StoreFixture()
    let store = try await filled(fixture)
    _ = try await store.delete([try await store.query(.init()).triplets[2].triplet])
    let folder = fixture.directory.file("backup")
    let made = try await store.backup(to: folder)
    #expect(made.triplets == 9 && made.snapshot == store.summary.snapshot)
    #expect(made.files.map(\.path) == ["catalog.sqlite", "packs/000001.pack"])
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(names == ["backup.json", "catalog.sqlite", "packs"])
    // The original goes on.
    try await store.fill("bus", 2)
    for keeps in [true, false] {
      let path = fixture.directory.file("restored \(keeps)")
      let (facts, check) = try await Restoration(folder, to: path, keepsIdentity: keeps).run()
      #expect(facts == made && check.triplets == 9 && check.blobsRead == 27)
      let restored = try TripletStore(path)
      #expect((restored.uuid == store.uuid) == keeps)
      #expect(restored.summary.triplets == 9 && restored.summary.snapshot == made.snapshot)
      for info in try await store.query(.init(category: CategoryName("cat"))).triplets {
        let (again, image, masks) = try await restored.triplet(info.triplet)
        let original = try await store.triplet(info.triplet)
        #expect(again == info && image == original.image && masks == original.masks)
      }
      try await restored.fill("fish", 3)
      #expect(try await restored.check(isDeep: true).problems == [])
      await restored.close()
    }
  }

  @Test("while many write, a backup holds a moment: every triplet whole, counts true", .tags(.slow))
  func whileWriting() async throws {
    let fixture = try StoreFixture()
    let store = try await filled(fixture)
    let over = Over()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<3 {
        group.addTask {
          var number = 0
          while !over.flag.withLock({ $0 }) {
            let triplet = try EncodedTriplet(.sample(seed: UInt64(writer * 10_000 + number)))
            _ = try await store.importItems([("\(writer) \(number)", triplet)], source: "s")
            number += 1
            if number % 7 == 0 {
              let some = try await store.query(.init(descending: true, limit: 1)).triplets
              _ = try await store.delete(some.map(\.triplet))
            }
          }
        }
      }
      group.addTask {
        for round in 0..<5 {
          let folder = fixture.directory.file("backup \(round)")
          let made = try await store.backup(to: folder)
          let path = fixture.directory.file("restored \(round)")
          let (_, check) = try await Restoration(folder, to: path, keepsIdentity: true).run()
          #expect(check.triplets == made.triplets && check.quarantined == [])
        }
        over.flag.withLock { $0 = true }
      }
      try await group.waitForAll()
    }
    #expect(try await store.check(isDeep: true).problems == [])
  }

  @Test("folders that are there, in the store, or nowhere are refused, and nothing is left")
  func refuses() async throws {
    let fixture = try StoreFixture()
    let store = try await filled(fixture)
    let there = fixture.directory.file("there")
    try FileManager.default.createDirectory(
      atPath: there, withIntermediateDirectories: true)
    let cut = fixture.directory.file("cut")
    try FileManager.default.createDirectory(
      atPath: cut + ".partial", withIntermediateDirectories: true)
    let cases: [(String, String)] = [
      ("relative", "expected an absolute path"), ("", "expected an absolute path"),
      (there, "is there already; choose another name"), (cut, "a backup was cut off there"),
      (fixture.path, "lies in the store itself"), (fixture.path + "/x", "lies in the store itself"),
      (fixture.path + "/../store/packs/x", "lies in the store itself"),
      (fixture.directory.file("a/b/c"), "No such file or directory"),
      ("/proc/backup", "/proc"), ("/zero\u{0}", "expected an absolute path"),
    ]
    for (path, message) in cases {
      let error = await #expect(throws: StoreError.self) { _ = try await store.backup(to: path) }
      #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
    #expect(try await store.backup(to: fixture.directory.file("good")).triplets == 10)
  }

  @Test("cut off at any step, a backup is not there under its name, and the store goes on")
  func cutOff() async throws {
    for point in [
      Failpoint.backupBefore, .backupCatalogAfter, .backupPacksAfter, .backupManifestAfter,
    ] {
      let directory = try TemporaryDirectory()
      let failpoints = Failpoints { (here) throws(StoreError) in
        if here == point { throw StoreError(.unwritable, "cut off") }
      }
      let store = try TripletStore(
        directory.file("store"), options: StoreOptions(failpoints: failpoints))
      try await store.fill("cat", 2)
      let folder = directory.file("backup")
      let error = await #expect(throws: StoreError.self) { _ = try await store.backup(to: folder) }
      #expect(error?.message == "cut off", "\(point)")
      #expect(!FileManager.default.fileExists(atPath: folder))
      #expect(!FileManager.default.fileExists(atPath: folder + ".partial"))
      try await store.fill("bus", 2)
      #expect(try await store.check(isDeep: true).problems == [])
      #expect(try await store.compact().packs == 0)
    }
  }

  @Test("a backup that was damaged, cut short or is none is refused by name, and no store is made")
  func refusesDamaged() async throws {
    let fixture = try StoreFixture()
    let store = try await filled(fixture)
    let good = fixture.directory.file("good")
    _ = try await store.backup(to: good)
    let path = fixture.directory.file("restored")
    func refusal(_ spoil: (String) throws -> Void) async throws -> String {
      let bad = fixture.directory.file("bad")
      try FileManager.default.copyItem(atPath: good, toPath: bad)
      defer { do { try FileManager.default.removeItem(atPath: bad) } catch {} }
      try spoil(bad)
      do throws(StoreError) {
        _ = try await Restoration(bad, to: path, keepsIdentity: true).run()
        return "none"
      } catch {
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(!FileManager.default.fileExists(atPath: path + ".partial"))
        return error.message
      }
    }
    func change(_ name: String, _ body: @escaping (inout Data) -> Void) -> (String) throws -> Void {
      { folder in
        let url = URL(fileURLWithPath: folder + "/" + name)
        var data = try Data(contentsOf: url)
        body(&data)
        try data.write(to: url)
      }
    }
    let pack = "packs/000001.pack"
    #expect(
      try await refusal(change(pack) { $0[100] ^= 1 }).contains("the backup was made with"))
    #expect(try await refusal(change(pack) { $0.removeLast() }).contains("use another backup"))
    #expect(try await refusal(change(pack) { $0.append(0) }).contains("use another backup"))
    #expect(
      try await refusal(change("catalog.sqlite") { $0[5000] ^= 1 }).contains("use another backup"))
    #expect(
      try await refusal { try FileManager.default.removeItem(atPath: $0 + "/" + pack) }
        .contains("No such file"))
    #expect(
      try await refusal { try FileManager.default.removeItem(atPath: $0 + "/backup.json") }
        .contains("the folder is no backup"))
    #expect(try await refusal(change("backup.json") { $0 = Data("{}".utf8) }).contains("missing"))
    #expect(
      try await refusal(
        change("backup.json") { data in
          let text = String(decoding: data, as: UTF8.self)
          data = Data(text.replacing("packs/000001.pack", with: "packs/../../x.pack").utf8)
        }
      ).contains("no backup has a file"))
    #expect(
      try await refusal(
        change("backup.json") { data in
          let text = String(decoding: data, as: UTF8.self)
          data = Data(text.replacing("\"catalog_version\":3", with: "\"catalog_version\":4").utf8)
        }
      ).contains("update it"))
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Data([1]).write(to: URL(fileURLWithPath: path + "/x"))
    let error = await #expect(throws: StoreError.self) {
      _ = try await Restoration(good, to: path, keepsIdentity: true).run()
    }
    #expect(error?.message.hasSuffix("restore into a folder that is not there") == true)
    try FileManager.default.removeItem(atPath: path + "/x")
    _ = try await Restoration(good, to: path, keepsIdentity: true).run()
  }

  @Test("a triplet that was set aside is set aside in the copy as well")
  func keepsQuarantine() async throws {
    let fixture = try StoreFixture()
    let store = try await filled(fixture)
    let id = try await store.query(.init()).triplets[0].triplet
    await store.setAside(id, reason: "a test")
    let folder = fixture.directory.file("backup")
    _ = try await store.backup(to: folder)
    let path = fixture.directory.file("restored")
    let (_, check) = try await Restoration(folder, to: path, keepsIdentity: false).run()
    #expect(check.quarantined == [id] && check.triplets == 9)
  }
}
