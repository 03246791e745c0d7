import Logging
import ServiceLifecycle
import UnixSignals

/// Reads the configuration again at SIGHUP: what can change at once does, a file that is broken
/// changes nothing.
struct Reloader: Service {
  let live: LiveSettings
  let level: LiveLogHandler.Level
  let manager: ServiceManager
  let logger: Logger
  let signals: UnixSignalsSequence
  /// Brings the configuration together again, from the same command line and environment.
  let read: @Sendable () throws(ConfigurationError) -> Configuration

  func run() async throws {
    await cancelWhenGracefulShutdown {
      for await _ in signals { reload() }
    }
  }

  private func reload() {
    manager.isReloading()
    defer { manager.isReady("serving") }
    let newer: Configuration
    do throws(ConfigurationError) {
      newer = try read()
    } catch {
      logger.error(
        "configuration not read; the old settings stay", metadata: ["error": "\(error)"])
      return
    }
    let (configuration, changed, waiting) = live.configuration.reloaded(newer)
    live.replace(configuration)
    level.current = Logger.Level(rawValue: configuration.settings.logLevel) ?? level.current
    logger.notice(
      "configuration read again",
      metadata: [
        "file": "\(configuration.file ?? "none")",
        "changed": "\(changed.joined(separator: ", "))",
      ])
    guard !waiting.isEmpty else { return }
    logger.warning(
      "some settings wait for the next start",
      metadata: ["settings": "\(waiting.joined(separator: ", "))"])
  }
}
