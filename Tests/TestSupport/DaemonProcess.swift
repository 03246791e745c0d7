import Foundation
public import Wire

/// A real daemon in a process of its own, on a store and a socket in a directory of its own.
public final class DaemonProcess {
  /// The directory; stays while the value lives, so that a store can be opened again.
  public let directory: TemporaryDirectory
  private var process = Process()
  private let errors: String

  /// The socket.
  public var socket: String { directory.file("s") }
  /// The folder of the store.
  public var store: String { directory.file("store") }

  /// Starts a daemon and waits until it answers.
  ///
  /// - Parameters:
  ///   - workers: its own workers; 0 for none.
  ///   - options: further options of the command line.
  public init(workers: Int = 0, options: [String] = []) throws {
    directory = try TemporaryDirectory()
    errors = directory.file("log")
    try start(workers: workers, options: options)
  }

  deinit { process.terminate() }

  /// The folder of the built programs: where this test itself is.
  public static var binaries: String {
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().path
  }

  /// Starts the daemon again after ``stop()`` or ``killNow()``.
  public func start(workers: Int = 0, options: [String] = []) throws {
    process = Process()
    process.executableURL = URL(fileURLWithPath: Self.binaries + "/groundwelld")
    process.arguments = ["--store", store, "--socket", socket, "--workers", "\(workers)"] + options
    _ = FileManager.default.createFile(atPath: errors, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: errors)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let deadline = ContinuousClock.now + .seconds(20)
    while true {
      do {
        _ = try client()
        return
      } catch {
        guard process.isRunning, ContinuousClock.now < deadline else {
          throw DaemonNotReady(log: log)
        }
        usleep(10_000)
      }
    }
  }

  /// A new connection.
  public func client() throws(WireError) -> DaemonClient {
    try DaemonClient.connect(socketPath: socket, clientName: "test")
  }

  /// What the daemon has logged.
  public var log: String {
    String(decoding: FileManager.default.contents(atPath: errors) ?? Data(), as: UTF8.self)
  }

  /// Asks the daemon to stop and answers its exit status.
  public func stop() -> Int32 {
    process.terminate()
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// Has the daemon read its configuration again.
  public func reload() { kill(process.processIdentifier, SIGHUP) }

  /// Kills the daemon as a power cut would.
  public func killNow() {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Runs another daemon to its end; for one that must refuse to start.
  public static func run(_ arguments: [String]) throws -> (status: Int32, errors: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: binaries + "/groundwelld")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}

/// A daemon that did not come up; holds its log.
struct DaemonNotReady: Error {
  let log: String
}
