import Logging
import Synchronization

/// The configuration in force; replaced as a whole when it is read again.
final class LiveSettings: Sendable {
  private let state: Mutex<Configuration>

  init(_ configuration: Configuration) { state = Mutex(configuration) }

  /// The configuration.
  var configuration: Configuration { state.withLock { $0 } }

  /// The settings.
  var current: DaemonSettings { state.withLock { $0.settings } }

  /// Puts another configuration in force.
  func replace(_ configuration: Configuration) { state.withLock { $0 = configuration } }
}

/// Writes to standard error what is as severe as a level that can change while the daemon runs.
struct LiveLogHandler: LogHandler {
  /// The level that all loggers share.
  final class Level: Sendable {
    private let state: Mutex<Logger.Level>

    init(_ level: Logger.Level) { state = Mutex(level) }

    /// The level in force.
    var current: Logger.Level {
      get { state.withLock { $0 } }
      set { state.withLock { $0 = newValue } }
    }
  }

  private let shared: Level
  private var writer: StreamLogHandler
  /// A level of one logger's own, which goes before the shared one where it is more severe.
  private var own: Logger.Level?

  init(label: String, level: Level) {
    shared = level
    writer = StreamLogHandler.standardError(label: label)
    writer.logLevel = .trace
  }

  var logLevel: Logger.Level {
    get { own.map { max($0, shared.current) } ?? shared.current }
    set { own = newValue }
  }

  var metadata: Logger.Metadata {
    get { writer.metadata }
    set { writer.metadata = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { writer[metadataKey: key] }
    set { writer[metadataKey: key] = newValue }
  }

  func log(event: LogEvent) { writer.log(event: event) }
}
