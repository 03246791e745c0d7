import Client
import Foundation
import Synchronization

/// One command line, run inside the test process.
struct CommandRun {
  /// The exit code.
  let status: ExitStatus
  /// Everything on standard output.
  let output: String
  /// Everything on standard error.
  let errors: String

  /// The time of day that commands see: 2023-11-15 00:13:20 UTC, two hours behind the examples.
  static let now = Date(timeIntervalSince1970: 1_700_007_200)

  /// Runs a command line against the daemon, if there is one.
  init(
    _ arguments: [String], daemon: FakeDaemon? = nil, columns: Int? = 80, isColoured: Bool = false,
    showsMovingProgress: Bool = false, environment: [String: String] = [:],
    instant: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
  ) {
    let output = Collected()
    let errors = Collected()
    var environment = environment
    if let daemon { environment["GROUNDWELL_SOCKET"] = daemon.socketPath }
    let console = Console(
      columns: columns, style: TextStyle(isColoured: isColoured),
      showsMovingProgress: showsMovingProgress, environment: environment, now: { Self.now },
      instant: instant, write: { (text) throws(ClientError) in output.add(text) },
      note: { errors.add($0) })
    status = CommandRunner.run(arguments, in: console)
    self.output = output.text
    self.errors = errors.text
  }
}

/// Text that several threads may add to.
final class Collected: Sendable {
  private let pieces = Mutex("")

  func add(_ text: String) { pieces.withLock { $0 += text } }

  var text: String { pieces.withLock { $0 } }
}
