private import CSocket
import Foundation
import Logging
import Synchronization

/// Tells the service manager how the daemon is (sd_notify(3)): systemd, or whoever else listens on
/// `$NOTIFY_SOCKET`; without that variable every call does nothing.
///
/// `WATCHDOG=1` is sent by the housekeeper behind a round that has gone through the store's queue,
/// the server and every connection, and by nothing else: a daemon that hangs there stops sending,
/// and is started again.
final class ServiceManager: Sendable {
  private let address: String?
  /// Time between two signs of life; nil when nobody watches.
  let watchdogInterval: Duration?
  private let lastSign = Mutex(ContinuousClock.now - .seconds(3600))
  private let hasComplained = Mutex(false)
  private let logger: Logger

  /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
  init(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    process: Int32 = ProcessInfo.processInfo.processIdentifier, logger: Logger
  ) {
    self.logger = logger
    let found = environment["NOTIFY_SOCKET"] ?? ""
    address = found.hasPrefix("/") || found.hasPrefix("@") ? found : nil
    if !found.isEmpty, address == nil {
      logger.warning(
        "no service manager is told",
        metadata: ["NOTIFY_SOCKET": "\(found.prefix(108))", "expected": "a path or '@' and a name"])
    }
    let isOurs = environment["WATCHDOG_PID"].map { Int32($0) == process } ?? true
    let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
    // Half of what is allowed, so that one late round does no harm.
    watchdogInterval =
      isOurs && microseconds > 0 && address != nil ? .microseconds(microseconds / 2) : nil
  }

  /// Whether somebody listens.
  var isPresent: Bool { address != nil }

  /// The daemon serves.
  func isReady(_ status: String) { send("READY=1\nSTATUS=\(Self.line(status))") }

  /// The daemon reads its configuration again; ``isReady(_:)`` ends that.
  func isReloading() {
    var time = timespec()
    // Safe: the struct lives for the duration of the call.
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)")
  }

  /// The daemon stops.
  func isStopping() { send("STOPPING=1\nSTATUS=stopping") }

  /// The working loop has come round; sends a sign of life when one is due.
  func hasComeRound(now: ContinuousClock.Instant = .now) {
    guard let watchdogInterval else { return }
    let isDue = lastSign.withLock { last in
      // A round may be a little early; the next one would be too late.
      guard now - last >= watchdogInterval - Housekeeper.interval else { return false }
      last = now
      return true
    }
    if isDue { send("WATCHDOG=1") }
  }

  private func send(_ text: String) {
    guard let address else { return }
    // Safe: both texts live for the duration of the call.
    let result = unsafe gw_notify(address, text, text.utf8.count)
    guard result < 0 else { return }
    let isFirst = hasComplained.withLock { flag in
      defer { flag = true }
      return !flag
    }
    if isFirst {
      logger.warning(
        "the service manager cannot be told",
        metadata: ["NOTIFY_SOCKET": "\(address)", "error": "errno \(-result)"])
    }
  }

  private static func line(_ text: String) -> String {
    String(text.prefix(200)).replacing("\n", with: " ")
  }
}
