import ArgumentParser
import Foundation
import Logging
import Schema
import ServiceLifecycle
import Store
import UnixSignals
import Wire

/// The daemon: owns a store, serves its socket, supervises its workers.
@main
struct GroundwellDaemon: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "groundwelld",
    abstract: "Keeps a store of images with masks, fills thin categories, and serves batches.",
    discussion: """
      Without options it opens the store in ~/.local/share/groundwell/store, listens on
      $XDG_RUNTIME_DIR/groundwell/groundwelld.sock, and runs one worker when there is work.
      Stop it with SIGTERM or Ctrl-C: it finishes what it has acknowledged and gives leases back.
      """,
    version: "groundwelld \(Release.version)")

  @Option(help: "The folder of the store; made when it is missing.")
  var store: String = DaemonSettings.standardStorePath()

  @Option(help: "The Unix socket to listen on.")
  var socket: String = SocketPath.standard()

  @Option(help: "Worker processes to spawn when there is work; 0 for none.")
  var workers: Int = 1

  @Option(help: "The generator to spawn; groundwell-generator beside this program otherwise.")
  var generator: String?

  @Option(help: "How nice workers are, 0 to 19.")
  var workerNiceness: Int = 10

  @Option(help: "Seconds without work after which a worker ends.")
  var workerIdle: Int = 60

  @Option(help: "Pixels along a side of images that are made without a stated size.")
  var imageSize: Int = 64

  @Option(help: "Clients that may be connected at a time.")
  var maximumConnections: Int = Limits.standard.maximumConnections

  @Option(help: "Seconds that a client may leave answers unread, or a message unfinished.")
  var stallSeconds: Int = Limits.standard.stallSeconds

  @Option(help: "Least severe messages to log: trace, debug, info, notice, warning, error.")
  var logLevel: String = "info"

  func validate() throws {
    guard (0...64).contains(workers) else {
      throw ValidationError("--workers is \(workers); expected 0 to 64.")
    }
    guard (0...19).contains(workerNiceness) else {
      throw ValidationError("--worker-niceness is \(workerNiceness); expected 0 to 19.")
    }
    guard (1...86_400).contains(workerIdle) else {
      throw ValidationError("--worker-idle is \(workerIdle); expected 1 to 86400 seconds.")
    }
    let sides = Limits.standard.minimumImageSide...Limits.standard.maximumImageSide
    guard sides.contains(imageSize) else {
      throw ValidationError(
        "--image-size is \(imageSize); expected \(sides.lowerBound) to \(sides.upperBound).")
    }
    guard (1...65_536).contains(maximumConnections), (1...3600).contains(stallSeconds) else {
      throw ValidationError(
        "--maximum-connections is \(maximumConnections) and --stall-seconds \(stallSeconds); "
          + "expected 1 to 65536 and 1 to 3600.")
    }
    guard Logger.Level(rawValue: logLevel) != nil else {
      throw ValidationError("--log-level is '\(logLevel)'; expected a name such as 'info'.")
    }
  }

  func run() async throws {
    var logger = Logger(label: "groundwelld") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
    do {
      try await serve(logger)
    } catch {
      FileHandle.standardError.write(Data("groundwelld: \(error)\n".utf8))
      throw ExitCode(1)
    }
  }

  private func serve(_ logger: Logger) async throws {
    let settings = settings()
    umask(0o077)
    let claim = try SocketClaim(settings.socketPath)
    Self.raiseDescriptorLimit()
    let signal = ChangeSignal()
    let options = StoreOptions(
      failpoints: try .fromEnvironment(ProcessInfo.processInfo.environment))
    let store = try TripletStore(
      settings.storePath, options: options, onChange: { _ in signal.notify() })
    let context = DaemonContext(
      store: store, settings: settings, signal: signal, decoders: DecodePool(store),
      slotLedger: SlotLedger(settings.limits), figures: DaemonFigures(), logger: logger)
    let server = Server(context, listener: try claim.listen())
    logger.info(
      "serving",
      metadata: [
        "socket": "\(settings.socketPath)", "store": "\(settings.storePath)",
        "triplets": "\(store.summary.triplets)", "uuid": "\(store.uuid)",
      ])
    // The group's own log describes every service with all it holds.
    var groupLogger = logger
    groupLogger.logLevel = max(.notice, logger.logLevel)
    let group = ServiceGroup(
      configuration: .init(
        services: [
          Housekeeper(context: context, server: server), server, WorkerSupervisor(context: context),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: groupLogger))
    try await group.run()
    claim.removeSocket()
    await store.close()
    logger.info("stopped", metadata: ["triplets": "\(store.summary.triplets)"])
  }

  /// Allows as many descriptors as the system lets this process have: each client needs one.
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    // Safe: the struct lives for the duration of the calls.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    // Where the system refuses, the old limit holds, and accepting says when it is reached.
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  private func settings() -> DaemonSettings {
    var settings = DaemonSettings(storePath: store, socketPath: socket)
    settings.workerCount = workers
    settings.generatorPath = generator ?? DaemonSettings.generatorBesideDaemon()
    settings.workerNiceness = workerNiceness
    settings.workerIdleSeconds = workerIdle
    settings.defaultImageSize = imageSize
    settings.limits.maximumConnections = maximumConnections
    settings.limits.stallSeconds = stallSeconds
    return settings
  }
}
