import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// Starting, stopping, and what a daemon leaves behind.
@Suite struct LifecycleTests {
  @Test("SIGTERM ends it cleanly: exit status 0, no socket, no lease, everything durable")
  func stopsCleanly() throws {
    let daemon = try DaemonProcess()
    let client = try daemon.client()
    try client.order("cat", 5)
    _ = try client.work(2)
    _ = try client.call(WorkLease.self, .init(worker: "w", engines: ["scenes"], count: 2))
    #expect(daemon.stop() == 0)
    #expect(!FileManager.default.fileExists(atPath: daemon.socket))
    try daemon.start()
    let status = try daemon.client().call(Status.self, .init()).result
    #expect(status.triplets == 2)
    #expect((status.leasedItems, status.pendingItems) == (0, 3))
  }

  @Test("a wait ends with 'stopping' when the daemon does")
  func endsWaits() throws {
    let daemon = try DaemonProcess()
    let client = try daemon.client()
    let jobs = try client.order("cat", 5)
    let id = try client.send(JobWait.self, .init(jobs: jobs, waitSeconds: 600))
    // Answered behind the wait on the same connection, so the wait has begun.
    _ = try client.call(Ping.self, .init())
    #expect(daemon.stop() == 0)
    let error = #expect(throws: WireError.self) { _ = try client.receive(JobWait.self, id: id) }
    #expect(error?.word == .stopping)
    #expect(error?.message == "the daemon is stopping; the jobs go on when it is back")
  }

  @Test("a killed daemon's socket is cleared away, and what it acknowledged is there")
  func survivesKill() throws {
    let daemon = try DaemonProcess()
    let client = try daemon.client()
    try client.order("cat", 5)
    let ids = try client.work(4)
    daemon.killNow()
    #expect(FileManager.default.fileExists(atPath: daemon.socket))
    try daemon.start()
    let second = try daemon.client()
    for id in ids { _ = try second.call(TripletGet.self, .init(triplet: id)) }
    #expect(try second.call(Check.self, .init(deep: true)).result.problems == [])
  }

  @Test("a second daemon is refused on the same socket and on the same store")
  func refusesSecondDaemon() throws {
    let daemon = try DaemonProcess()
    var (status, errors) = try DaemonProcess.run([
      "--store", daemon.directory.file("other"), "--socket", daemon.socket,
    ])
    #expect(status == 1)
    #expect(errors.contains("groundwelld: a daemon already answers on \(daemon.socket)"))
    (status, errors) = try DaemonProcess.run([
      "--store", daemon.store, "--socket", daemon.directory.file("t"),
    ])
    #expect(status == 1)
    #expect(errors.contains("\(daemon.store) is in use by process"))
    _ = try daemon.client().call(Ping.self, .init())
  }

  @Test("a socket path that does not fit, or is taken by a file, is refused with what to do")
  func refusesBadSocketPath() throws {
    let directory = try TemporaryDirectory()
    let long = directory.file(String(repeating: "x", count: 108 - directory.path.utf8.count - 1))
    #expect(long.utf8.count == 108)
    var (status, errors) = try DaemonProcess.run([
      "--store", directory.file("store"), "--socket", long,
    ])
    #expect(status == 1)
    #expect(errors.contains("socket path of 108 bytes; a Unix socket takes 1 to 107"))
    let file = directory.file("plain")
    try Data("keep me".utf8).write(to: URL(fileURLWithPath: file))
    (status, errors) = try DaemonProcess.run([
      "--store", directory.file("store"), "--socket", file,
    ])
    #expect(status == 1)
    #expect(errors.contains("\(file) exists and is no socket"))
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "keep me")
  }

  @Test("a wrong setting is refused with its range")
  func refusesBadSettings() throws {
    let (status, errors) = try DaemonProcess.run(["--workers", "99"])
    #expect(status == 64)
    #expect(errors.contains("--workers is 99; expected 0 to 64\n"))
  }

  @Test("a worker that leaves gives its items back at once")
  func returnsLeases() throws {
    let daemon = try DaemonProcess()
    let client = try daemon.client()
    try client.order("cat", 2)
    do {
      let worker = try daemon.client()
      let lease = WorkLease.Params(worker: "w", engines: ["scenes"], count: 2, leaseSeconds: 600)
      #expect(try worker.call(WorkLease.self, lease).result.items.count == 2)
    }
    let lease = WorkLease.Params(worker: "v", engines: ["scenes"], count: 2, waitSeconds: 10)
    #expect(try client.call(WorkLease.self, lease).result.items.count == 2)
  }

  @Test("a lease that is granted to a client that has just left goes back, and so do its streams")
  func leavesNothing() throws {
    let daemon = try DaemonProcess()
    let client = try daemon.client()
    try client.order("cat", 50)
    _ = try client.work(10)
    for _ in 0..<20 {
      let worker = try daemon.client()
      _ = try worker.send(
        WorkLease.self, .init(worker: "w", engines: ["scenes"], count: 2, leaseSeconds: 600))
      _ = try worker.send(StreamOpen.self, .init(all: true, batchSize: 1))
    }
    let deadline = ContinuousClock.now + .seconds(10)
    while true {
      let status = try client.call(Status.self, .init()).result
      if status.leasedItems == 0, status.streams == 0, status.connections == 1 { break }
      try #require(ContinuousClock.now < deadline, "\(status)")
    }
  }

  @Test("a lease renewed on a new connection outlives the old one")
  func movesLeases() throws {
    let daemon = try DaemonProcess()
    let client = try daemon.client()
    try client.order("cat", 1)
    var lease = LeaseReference(job: 0, ordinal: 0, token: 0)
    do {
      let old = try daemon.client()
      let params = WorkLease.Params(worker: "w", engines: ["scenes"], count: 1, leaseSeconds: 600)
      lease = try #require(try old.call(WorkLease.self, params).result.items.first).lease
      #expect(try client.call(WorkRenew.self, .init(leases: [lease])).result.lost == [])
    }
    while try client.call(Status.self, .init()).result.connections > 1 {}
    #expect(try client.call(Status.self, .init()).result.leasedItems == 1)
    #expect(try !client.submit(lease, .sample(side: 16)).duplicate)
  }

  @Test("job.wait reports progress and answers when the job is finished, or when time is up")
  func waitsForJobs() throws {
    let daemon = try DaemonProcess()
    let client = try daemon.client()
    let jobs = try client.order("cat", 3)
    let early = try client.call(JobWait.self, .init(jobs: jobs, waitSeconds: 0.1)).result
    #expect(!early.finished)
    let id = try client.send(JobWait.self, .init(jobs: jobs, waitSeconds: 30))
    _ = try daemon.client().work()
    var reports = 0
    let late = try client.receive(JobWait.self, id: id) { _ in reports += 1 }.result
    #expect(late.finished)
    #expect(late.jobs.map(\.done) == [3])
    #expect(reports >= 1)
  }

  @Test("a client that stands still in the middle of a frame is dropped, one between frames is not")
  func dropsStalled() throws {
    let daemon = try DaemonProcess(options: ["--stall-seconds", "1"])
    let idle = try daemon.client()
    let stalled = try RawPeer(daemon.socket)
    try stalled.send(Array(WireFrame(json: Array("{}".utf8)).bytes.prefix(7)))
    #expect(try stalled.frame() == nil)
    let deadline = ContinuousClock.now + .seconds(10)
    while try daemon.client().call(Status.self, .init()).result.connections > 2 {
      try #require(ContinuousClock.now < deadline)
    }
    _ = try idle.call(Ping.self, .init())
  }

  @Test("a client too many is told so, and has room again when another leaves")
  func limitsConnections() throws {
    let daemon = try DaemonProcess(options: ["--maximum-connections", "2"])
    let first = try daemon.client()
    // The one that looked whether the daemon was up may still be there.
    while try first.call(Status.self, .init()).result.connections > 1 {}
    var second: DaemonClient? = try daemon.client()
    let error = #expect(throws: WireError.self) { _ = try daemon.client() }
    #expect(error?.word == .overQuota)
    #expect(error?.message == "2 clients are connected; close some")
    #expect(try first.call(Status.self, .init()).result.connections == 2)
    withExtendedLifetime(second) {}
    second = nil
    while try first.call(Status.self, .init()).result.connections > 1 {}
    _ = try daemon.client().call(Ping.self, .init())
  }

  @Test("the socket is the owner's alone")
  func socketMode() throws {
    let daemon = try DaemonProcess()
    let mode = try FileManager.default.attributesOfItem(atPath: daemon.socket)[.posixPermissions]
    #expect(mode as? Int == 0o600)
  }
}
