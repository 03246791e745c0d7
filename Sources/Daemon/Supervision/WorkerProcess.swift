import Foundation
import Synchronization

/// One spawned worker, from start to end.
final class WorkerProcess: Sendable {
  /// How long a worker may take to finish when it is asked to stop.
  static let stopSeconds = 3.0

  private let path: String
  private let arguments: [String]
  private let niceness: Int
  /// The process id while it runs; -1 when it must not start any more.
  private let running = Mutex<Int32?>(nil)

  init(_ path: String, arguments: [String], _ niceness: Int) {
    self.path = path
    self.arguments = arguments
    self.niceness = niceness
  }

  /// Runs the worker to its end; nil when it ended as it should.
  func run(onStart: @Sendable (Int32) -> Void) async -> String? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
    process.terminationHandler = { _ in continuation.finish() }
    do {
      try process.run()
    } catch {
      return "\(path) does not start: \(error.localizedDescription)"
    }
    let pid = process.processIdentifier
    // A process of one's own may always be made nicer.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(pid), Int32(niceness))
    let mayRun = running.withLock { running -> Bool in
      if running == -1 { return false }
      running = pid
      return true
    }
    if mayRun { onStart(pid) } else { kill(pid, SIGTERM) }
    for await _ in ended {}
    running.withLock { $0 = -1 }
    if process.terminationReason == .uncaughtSignal {
      return "killed by signal \(process.terminationStatus)"
    }
    return process.terminationStatus == 0 ? nil : "exit status \(process.terminationStatus)"
  }

  /// Asks the worker to finish, and ends it when it does not.
  func stop() {
    let pid = running.withLock { running -> Int32? in
      defer { if running == nil { running = -1 } }
      return running
    }
    guard let pid, pid > 0 else { return }
    kill(pid, SIGTERM)
    DispatchQueue.global().asyncAfter(deadline: .now() + Self.stopSeconds) { [self] in
      // Still the same process: a process id is not reused before it was waited for.
      running.withLock { running in
        if running == pid { kill(pid, SIGKILL) }
      }
    }
  }
}
