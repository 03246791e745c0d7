import Foundation
import Schema
import Synchronization
import Testing
import Wire

/// Sockets of the file system and what rides on them.
@Suite struct UnixSocketTests {
  /// A path of exactly so many bytes in a folder of its own.
  private func path(bytes: Int? = nil) throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "gw-\(UUID().uuidString.prefix(8))"
    ).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    guard let bytes else { return folder + "/s" }
    return folder + "/" + String(repeating: "s", count: bytes - folder.utf8.count - 1)
  }

  private func removeFolder(of path: String) throws {
    try FileManager.default.removeItem(
      at: URL(fileURLWithPath: path).deletingLastPathComponent())
  }

  @Test("a path of 107 bytes carries a connection")
  func longestPath() throws {
    let path = try path(bytes: SocketPath.maximumBytes)
    let listener = try UnixSocket.listen(at: path)
    let client = try UnixSocket.connect(to: path)
    let server = try #require(try listener.accept())
    #expect(try client.send([1, 2, 3]) == 3)
    guard case .bytes(let bytes, let descriptors, let lost) = try server.receive(maximumBytes: 8)
    else {
      Issue.record("expected bytes")
      return
    }
    #expect(bytes == [1, 2, 3])
    #expect(descriptors.isEmpty)
    #expect(!lost)
    try removeFolder(of: path)
  }

  @Test(
    "a path that no socket address holds is refused with the limit",
    arguments: ["", "/" + String(repeating: "s", count: 107), "/tmp/a\0b"])
  func impossiblePath(path: String) {
    for attempt in [UnixSocket.connect(to:), { try UnixSocket.listen(at: $0) }] {
      let error = #expect(throws: WireError.self) { _ = try attempt(path) }
      #expect(error?.code == .unreachable)
      #expect(
        error?.message.hasPrefix(
          "socket path of \(path.utf8.count) bytes; a Unix socket takes 1 to 107") == true)
    }
  }

  @Test("the socket file is for its owner only")
  func mode() throws {
    let path = try path()
    let listener = try UnixSocket.listen(at: path)
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    listener.shutdown()
    try removeFolder(of: path)
  }

  @Test("a stale socket file is refused by connect and by listen")
  func staleFile() throws {
    let path = try path()
    do { _ = try UnixSocket.listen(at: path) }
    let unreachable = #expect(throws: WireError.self) { _ = try UnixSocket.connect(to: path) }
    #expect(unreachable?.code == .unreachable)
    #expect(
      unreachable?.message
        == "no daemon on \(path): Connection refused (111); start one with 'groundwelld', or name "
        + "its socket with --socket or GROUNDWELL_SOCKET")
    let taken = #expect(throws: WireError.self) { _ = try UnixSocket.listen(at: path) }
    #expect(taken?.code == .system)
    #expect(taken?.message == "bind failed on \(path): Address already in use (98)")
    try removeFolder(of: path)
  }

  @Test("the end of the other side is an end to read and an error to write")
  func otherSideGone() throws {
    let (left, right) = try UnixSocket.pair()
    #expect(try right.send([7]) == 1)
    right.shutdown()
    guard case .bytes([7], _, _) = try left.receive(maximumBytes: 8) else {
      Issue.record("what was sent before the end is lost")
      return
    }
    guard case .end = try left.receive(maximumBytes: 8) else {
      Issue.record("expected the end")
      return
    }
    let error = #expect(throws: WireError.self) { _ = try left.send([1]) }
    #expect(error?.code == .closed)
  }

  @Test("a non-blocking socket has nothing, takes nothing when full, and accepts nobody")
  func nonBlocking() throws {
    let (left, right) = try UnixSocket.pair()
    try left.setNonBlocking()
    guard case .nothing = try left.receive(maximumBytes: 8) else {
      Issue.record("expected nothing")
      return
    }
    var sent = 0
    while case let count = try left.send([UInt8](repeating: 0, count: 1 << 16)[...]), count > 0 {
      sent += count
    }
    #expect(sent > 0)
    #expect(!left.wait(forWriting: true, until: .now))
    #expect(right.wait(until: .now))
    let path = try path()
    let listener = try UnixSocket.listen(at: path)
    try listener.setNonBlocking()
    #expect(try listener.accept() == nil)
    try removeFolder(of: path)
  }

  @Test("a wait ends at its deadline")
  func waiting() throws {
    let (left, right) = try UnixSocket.pair()
    let start = ContinuousClock.now
    #expect(!left.wait(until: start + .milliseconds(20)))
    #expect(start.duration(to: .now) >= .milliseconds(20))
    #expect(try right.send([1]) == 1)
    #expect(left.wait(until: start))
  }

  @Test("a signal does not end a wait before its deadline")
  func interruptedWait() async {
    await #expect(processExitsWith: .success) {
      // Threads of a pool keep signals blocked; this one must be interrupted.
      var signals = sigset_t()
      // Safe: the set lives for the duration of the calls.
      unsafe sigemptyset(&signals)
      unsafe sigaddset(&signals, SIGUSR1)
      _ = unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
      signal(SIGUSR1) { _ in }
      let (left, right) = try UnixSocket.pair()
      let waiter = pthread_self()
      let isOver = Mutex(false)
      Thread.detachNewThread {
        while !isOver.withLock({ $0 }) {
          pthread_kill(waiter, SIGUSR1)
          usleep(5_000)
        }
      }
      let deadline = ContinuousClock.now + .milliseconds(60)
      let isReadable = left.wait(until: deadline)
      let isEarly = ContinuousClock.now < deadline
      isOver.withLock { $0 = true }
      exit(isReadable || isEarly || right.descriptor < 0 ? 1 : 0)
    }
  }

  @Test("the peer is this process and its user")
  func peer() throws {
    let (left, right) = try UnixSocket.pair()
    #expect(try left.peer() == right.peer())
    #expect(try left.peer().process == getpid())
    #expect(try left.peer().user == getuid())
  }

  @Test("descriptors arrive open, and closed in programs that this one starts")
  func descriptors() throws {
    let (left, right) = try UnixSocket.pair()
    let pipe = try ClosingPipe()
    #expect(send([5], descriptors: [pipe.writing, pipe.writing], over: left) == 1)
    close(pipe.writing)
    guard case .bytes([5], let received, false) = try right.receive(maximumBytes: 8) else {
      Issue.record("expected a byte with descriptors")
      return
    }
    #expect(received.count == 2)
    for descriptor in received {
      #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
      close(descriptor)
    }
    #expect(pipe.isFinished())
  }

  @Test("descriptors beyond the limit are closed, and the loss is told")
  func tooManyDescriptors() throws {
    let (left, right) = try UnixSocket.pair()
    let pipe = try ClosingPipe()
    let many = [Int32](repeating: pipe.writing, count: 7)
    #expect(send([5], descriptors: many, over: left) == 1)
    close(pipe.writing)
    guard case .bytes([5], let received, true) = try right.receive(maximumBytes: 8) else {
      Issue.record("expected a byte with descriptors, some lost")
      return
    }
    #expect(received.count == Limits.standard.maximumDescriptors)
    received.forEach { close($0) }
    #expect(pipe.isFinished())
  }
}
