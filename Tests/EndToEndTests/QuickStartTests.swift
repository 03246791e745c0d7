import Foundation
import GRDB
import Imaging
import Schema
import TestSupport
import Testing
import Wire

/// The README's quick start with the real programs, and a daemon that looks after its worker.
@Suite struct QuickStartTests {
  @Test("backfill, counts, query, show, sheet and check do what the README says")
  func quickStart() throws {
    let daemon = try DaemonProcess(workers: 1)
    let backfill = try Program(
      "groundwell", ["backfill", "cat", "dog", "potted plant", "--target", "20", "--wait"],
      daemon: daemon)
    #expect(backfill.status == 0, "\(backfill.errors)")
    let counts = try Program("groundwell", ["counts", "--json"], daemon: daemon)
    let result = try JSONText.decode(Counts.Result.self, from: Array(counts.output.utf8))
    #expect(result.categories.map(\.category.text) == ["cat", "dog", "potted plant"])
    #expect(result.categories.allSatisfy { $0.stock >= 20 && $0.shortfall == 0 })
    #expect(result.triplets == 60)
    let table = try Program("groundwell", ["counts"], daemon: daemon)
    #expect(table.output.hasPrefix("CATEGORY"))
    let sheet = daemon.directory.file("cats.png")
    let drawn = try Program(
      "groundwell", ["sheet", "--category", "cat", "--count", "12", "-o", sheet], daemon: daemon)
    #expect(drawn.output == "\(sheet): 12 triplets\n")
    #expect(try PNG.readRGB(sheet).width > 400)
    let check = try Program("groundwell", ["check", "--deep"], daemon: daemon)
    #expect(check.status == 0)
    #expect(check.output.contains("no problems"))
    #expect(daemon.stop() == 0)
  }

  @Test("a stream that lacks a category has it generated before its first batch")
  func streamFillsItself() throws {
    let daemon = try DaemonProcess(workers: 1)
    let client = try daemon.client()
    let names = try ["cat", "unicorn"].map { try CategoryName($0) }
    var reports = 0
    let open = try client.call(
      StreamOpen.self, .init(categories: names, batchSize: 8, imageSize: 64, minimum: 30)
    ) { _ in reports += 1 }.result
    #expect(reports >= 1)
    #expect(open.categories.allSatisfy { $0.stock >= 30 })
    let (batch, body) = try client.call(BatchGet.self, .init(stream: open.stream, k: 0))
    #expect(batch.prompts.count == 8)
    #expect(batch.prompts.allSatisfy { $0.hasPrefix("a photograph of ") })
    let image = try #require(try Safetensors.decode(body)["image"])
    #expect(image.shape == [8, 64, 64, 3])
    #expect(Set(body[image.range]).count > 64)
  }

  @Test("a category without a drawing parks its items and says why")
  func noDrawing() throws {
    let daemon = try DaemonProcess(workers: 1)
    let run = try Program(
      "groundwell", ["backfill", "flux capacitor", "--target", "2", "--wait"], daemon: daemon)
    #expect(run.status == 1)
    #expect((run.output + run.errors).contains("flux capacitor"))
    let job = try #require(try daemon.client().call(JobList.self, .init()).result.jobs.first)
    #expect(job.state == .failed)
    #expect(job.parked == 2)
    #expect(job.lastError?.contains("flux capacitor") == true)
  }

  @Test("a killed worker is replaced and the job ends with exactly its items")
  func replacesKilledWorker() throws {
    let daemon = try DaemonProcess(workers: 1)
    let client = try daemon.client()
    let target = 1500
    let jobs = try client.call(
      Backfill.self, .init(goals: [.init(category: CategoryName("cat"), target: target)])
    ).result.outcomes[0].jobs
    var killed: Set<Int> = []
    while killed.count < 2 {
      let status = try client.call(Status.self, .init()).result
      if let pid = status.workers.first?.process, !killed.contains(pid), status.leasedItems > 0 {
        kill(Int32(pid), SIGKILL)
        killed.insert(pid)
      }
      guard status.activeJobs > 0 else { break }
      usleep(1000)
    }
    #expect(!killed.isEmpty)
    let wait = try client.call(
      JobWait.self, .init(jobs: jobs, waitSeconds: 60), timeout: .seconds(70)
    ).result
    #expect(wait.jobs.map(\.state) == [.done])
    #expect(wait.jobs.map(\.done) == [target])
    let check = try client.call(Check.self, .init()).result
    #expect(check.problems == [])
    #expect(check.triplets == target)
    let worker = try #require(try client.call(Status.self, .init()).result.workers.first)
    #expect(worker.lastError == "killed by signal 9")
  }

  @Test("an item made by two workers is the same triplet, to the byte")
  func deterministic() throws {
    var bodies: [[UInt8]] = []
    for _ in 0..<2 {
      let daemon = try DaemonProcess()
      let client = try daemon.client()
      _ = try client.call(
        Backfill.self,
        .init(
          goals: [.init(category: CategoryName("dog"), target: 5)], imageSize: 48, seed: 123))
      let run = try Program("groundwell-generator", ["work", "--once"], daemon: daemon)
      #expect(run.output == "5 triplets handed in, 0 items failed\n")
      let ids = try client.call(TripletQuery.self, .init()).result.triplets
      #expect(ids.count == 5)
      bodies.append(
        try ids.sorted { $0.provenance.seed < $1.provenance.seed }.flatMap {
          try client.call(TripletGet.self, .init(triplet: $0.triplet)).body
        })
    }
    #expect(bodies[0] == bodies[1])
  }

  @Test("a worker that is asked to stop gives its items back and ends well")
  func workerStops() throws {
    let daemon = try DaemonProcess()
    let client = try daemon.client()
    _ = try client.call(
      Backfill.self,
      .init(goals: [.init(category: CategoryName("cat"), target: 5000)], imageSize: 256))
    let process = Program.process("groundwell-generator", ["work"], daemon: daemon)
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    while try client.call(Status.self, .init()).result.triplets < 10 { usleep(5000) }
    process.terminate()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    let status = try client.call(Status.self, .init()).result
    #expect(status.leasedItems == 0)
    #expect(status.triplets + status.pendingItems == 5000)
  }

  #if !DEBUG  // Unoptimised, one image takes longer than the lease.
    @Test("a worker renews leases that its work outlasts, so nothing is made twice")
    func renewsLeases() throws {
      let daemon = try DaemonProcess()
      let client = try daemon.client()
      _ = try client.call(
        Backfill.self,
        .init(goals: [.init(category: CategoryName("cat"), target: 120)], imageSize: 1024))
      let run = try Program(
        "groundwell-generator", ["work", "--once", "--count", "120", "--lease-seconds", "1"],
        daemon: daemon)
      #expect(run.output == "120 triplets handed in, 0 items failed\n")
      #expect(daemon.stop() == 0)
      let catalog = try DatabaseQueue(path: daemon.store + "/catalog.sqlite")
      let tokens = try catalog.read { db in
        try Int.fetchAll(db, sql: "SELECT DISTINCT token FROM work_item")
      }
      #expect(tokens == [1])
    }
  #endif

  @Test("a user's own drawings work like the shipped ones")
  func ownSprites() throws {
    let daemon = try DaemonProcess()
    let client = try daemon.client()
    let folder = daemon.directory.file("sprites/bolt")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let pixels = (0..<(32 * 32)).flatMap { pixel -> [UInt8] in
      let (x, y) = (pixel % 32 - 16, pixel / 32 - 16)
      return x * x + y * y < 200 ? [200, 40, 40, 255] : [0, 0, 0, 0]
    }
    try PNG.write(
      RGBAImage(width: 32, height: 32, pixels: pixels), to: folder + "/round.png")
    _ = try client.call(
      Backfill.self, .init(goals: [.init(category: CategoryName("bolt"), target: 3)]))
    let run = try Program(
      "groundwell-generator",
      ["work", "--once", "--sprites", daemon.directory.file("sprites")], daemon: daemon)
    #expect(run.output == "3 triplets handed in, 0 items failed\n", "\(run.errors)")
    let infos = try client.call(TripletQuery.self, .init()).result.triplets
    #expect(infos.allSatisfy { $0.prompt.contains("bolt") })
  }
}
