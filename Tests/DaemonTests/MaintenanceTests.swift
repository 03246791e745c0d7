import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// Looking after a store over the socket: damage, search, backups, quotas.
@Suite struct MaintenanceTests {
  private let daemon: DaemonProcess
  private let client: DaemonClient

  init() throws {
    daemon = try DaemonProcess()
    client = try daemon.client()
  }

  private func bring(_ client: DaemonClient, _ names: [String], side: Int = 16) throws {
    let triplets = try names.indices.map { try Triplet.sample(seed: UInt64($0 + 1), side: side) }
    _ = try client.call(
      TripletImport.self,
      .init(
        source: "shelf",
        items: zip(names, triplets).map { name, triplet in
          TripletImport.Item(
            item: name, prompt: "prompt of \(name)", masks: triplet.masks.map(\.info))
        }), body: TripletBody.encode(triplets.map { ($0.image, $0.masks.map(\.mask)) }))
  }

  @Test("a damaged triplet is listed with its reason, and taken back when its pack is restored")
  func quarantine() throws {
    try bring(client, ["a", "b"])
    let backup = daemon.directory.file("backup")
    _ = try client.call(Backup.self, .init(directory: backup))
    #expect(daemon.stop() == 0)
    let pack = URL(fileURLWithPath: daemon.store + "/packs/000001.pack")
    var bytes = try Data(contentsOf: pack)
    bytes[120] ^= 1
    try bytes.write(to: pack)
    try daemon.start()
    var other = try daemon.client()
    let check = try other.call(Check.self, .init(deep: true)).result
    #expect(check.quarantined == [1] && check.problems.count == 1)
    let entries = try other.call(QuarantineList.self, .init()).result
    #expect(entries.triplets.map(\.triplet) == [1] && entries.next == nil)
    #expect(entries.triplets.first?.reason.contains("checksum") == true)
    let damaged = try other.call(QuarantineRelease.self, .init(triplets: [1])).result
    #expect(damaged.damaged.map(\.triplet) == [1])
    #expect(daemon.stop() == 0)
    try FileManager.default.removeItem(at: pack)
    try FileManager.default.copyItem(atPath: backup + "/packs/000001.pack", toPath: pack.path)
    try daemon.start()
    other = try daemon.client()
    let result = try other.call(QuarantineRelease.self, .init(triplets: [1, 77])).result
    #expect(result.released.map(\.triplet) == [1] && result.missing == [77])
    #expect(try other.call(Counts.self, .init()).result.triplets == 2)
    #expect(try other.call(Check.self, .init(deep: true)).result.quarantined == [])
    #expect(try other.call(Recount.self, .init()).result == .init(corrected: [], left: []))
  }

  @Test("prompts are searched; a text without words is refused")
  func search() throws {
    try bring(client, ["a tree", "two trees", "a house"])
    let found = try client.call(TripletSearch.self, .init(text: "tree*")).result
    #expect(found.triplets.map(\.prompt) == ["prompt of two trees", "prompt of a tree"])
    let error = client.refusal(TripletSearch.self, .init(text: "\"*\" -(*)"))
    #expect(error?.word == .invalidParams)
    #expect(error?.message.hasPrefix("text has no word to look for") == true)
  }

  @Test("a backup is restored by the daemon's own program, which serves it")
  func backupAndRestore() throws {
    try bring(client, ["a", "b", "c"])
    let backup = daemon.directory.file("backup")
    let made = try client.call(Backup.self, .init(directory: backup)).result
    #expect(made.triplets == 3)
    let again = client.refusal(Backup.self, .init(directory: backup))
    #expect(again?.word == .invalidParams)
    #expect(again?.message == "\(backup) is there already; choose another name")
    let path = daemon.directory.file("restored")
    let restored = try DaemonProcess.run(["--restore", backup, "--store", path])
    #expect(restored.status == 0, "\(restored.errors)")
    let serving = try DaemonProcess.run(["--restore", backup, "--store", daemon.store])
    #expect(serving.status == 1)
    #expect(serving.errors.contains("is not empty; restore into a folder that is not there"))
    let none = try DaemonProcess.run(["--restore", path, "--store", path + "2"])
    #expect(none.errors.contains("the folder is no backup, or one that was not finished"))
    let alone = try DaemonProcess.run(["--keep-identity"])
    #expect(alone.errors.contains("--keep-identity goes with --restore"))
    #expect(daemon.stop() == 0)
    try daemon.start(options: ["--set", "store.path=\(path)"])
    let status = try daemon.client().call(Status.self, .init()).result
    #expect(status.triplets == 3)
  }

  @Test("a full store refuses triplets by word, hands out no work, and goes on when there is room")
  func quota() throws {
    try client.order("cat", 4)
    #expect(daemon.stop() == 0)
    let limit = "store.maximum_store_bytes="
    try daemon.start(options: ["--set", limit + "3000000"])
    let other = try daemon.client()
    let big = #expect(throws: WireError.self) { try bring(other, ["big"], side: 1024) }
    #expect(big?.word == .storeFull)
    #expect(big?.message.contains("(store.maximum_store_bytes)") == true)
    // What was refused does not fit; smaller ones still do.
    try bring(other, ["small"])
    #expect(try other.call(Counts.self, .init()).result.triplets == 1)
    let diagnosis = try other.call(Diagnose.self, .init()).result
    #expect(diagnosis.maximumStoreBytes == 3_000_000 && diagnosis.full == nil)
    #expect(diagnosis.storeBytes > 0 && diagnosis.storeBytes < 3_000_000)
    #expect(daemon.stop() == 0)
    try daemon.start(options: ["--set", limit + "1"])
    let full = try daemon.client()
    #expect(try full.call(Diagnose.self, .init()).result.full != nil)
    let lease = WorkLease.Params(worker: "test", engines: ["scenes"], count: 4)
    #expect(try full.call(WorkLease.self, lease).result.items == [])
    let waits = full.refusal(JobWait.self, .init(jobs: [1], waitSeconds: 30))
    #expect(waits?.word == .storeFull)
    let goal = Backfill.Goal(category: try CategoryName("dog"), target: 3)
    #expect(full.refusal(Backfill.self, .init(goals: [goal]))?.word == .storeFull)
    #expect(try full.call(TripletGet.self, .init(triplet: 1)).result.triplet == 1)
    #expect(try full.call(TripletDelete.self, .init(triplets: [1])).result.deleted == 1)
    #expect(daemon.stop() == 0)
    try daemon.start(options: ["--set", limit + "0"])
    #expect(try daemon.client().work(4).count == 4)
  }
}
