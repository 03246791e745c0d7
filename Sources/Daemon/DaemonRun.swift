import Foundation
import Logging
import ServiceLifecycle
import Store
import Synchronization
import UnixSignals
import Wire

/// One life of the daemon, from its configuration to its end.
struct DaemonRun {
  private let configuration: Configuration
  private let read: @Sendable () throws(ConfigurationError) -> Configuration
  private let level: LiveLogHandler.Level
  private let logger: Logger

  /// A run with these settings.
  ///
  /// - Parameter read: brings them together again, for SIGHUP.
  init(
    _ configuration: Configuration,
    read: @escaping @Sendable () throws(ConfigurationError) -> Configuration
  ) {
    self.configuration = configuration
    self.read = read
    let level = LiveLogHandler.Level(
      Logger.Level(rawValue: configuration.settings.logLevel) ?? .info)
    self.level = level
    logger = Logger(label: "groundwelld") { LiveLogHandler(label: $0, level: level) }
  }

  /// Serves until it is asked to stop.
  func serve() async throws {
    // Before anything else: SIGHUP would otherwise end a daemon that is just coming up.
    let signals = await UnixSignalsSequence(trapping: .sighup)
    var configuration = configuration
    umask(0o077)
    let activation = try SocketActivation()
    // Workers, and whoever asks for the status, need the path that is really served.
    if let path = activation.server?.path { configuration.settings.socketPath = path }
    let settings = configuration.settings
    let claim = activation.server == nil ? try SocketClaim(settings.socketPath) : nil
    Self.raiseDescriptorLimit()
    keepFreedMemory()
    let manager = ServiceManager(logger: logger)
    let (signal, counters) = (ChangeSignal(), ServingCounters())
    var options = StoreOptions(
      failpoints: try .fromEnvironment(ProcessInfo.processInfo.environment))
    options.snapshotLingerSeconds = settings.snapshotLingerSeconds
    options.space = settings.space
    options.pixelCacheBytes = settings.pixelCacheLimit
    let pool = WorkPool()
    let encodingLoad = EncodingLoad(threadCount: pool.width)
    options.isMoreComing = { encodingLoad.isBusy }
    let store = try TripletStore(
      settings.storePath, options: options,
      onChange: { change in
        counters.count(change)
        signal.notify()
      })
    let metrics = try Self.metricsListener(activation, settings)
    let context = DaemonContext(
      store: store, live: LiveSettings(configuration), signal: signal,
      decoders: DecodePool(store), pool: pool, encodingLoad: encodingLoad,
      slotLedger: SlotLedger(settings.limits),
      figures: DaemonFigures(), counters: counters, metricsName: metrics?.name, manager: manager,
      logger: logger)
    guard let listener = try activation.server?.socket ?? claim?.listen() else { return }
    let server = Server(context, listener: listener)
    logger.info(
      "serving",
      metadata: [
        "socket": "\(settings.socketPath)", "store": "\(settings.storePath)",
        "triplets": "\(store.summary.triplets)", "uuid": "\(store.uuid)",
        "configuration": "\(configuration.file ?? "none")",
        "figures": "\(metrics?.name ?? "nowhere")",
      ])
    manager.isReady("serving \(store.summary.triplets) triplets")
    try await run(context, server, metrics, signals)
    // A socket that the service manager made stays: the next client starts the daemon again.
    claim?.removeSocket()
    await store.close()
    logger.info("stopped", metadata: ["triplets": "\(store.summary.triplets)"])
  }

  private func run(
    _ context: DaemonContext, _ server: Server, _ metrics: MetricsListener?,
    _ signals: UnixSignalsSequence
  ) async throws {
    let reloader = Reloader(
      live: context.live, level: level, manager: context.manager, logger: logger,
      signals: signals, read: read)
    // The group's own log describes every service with all it holds.
    var groupLogger = logger
    groupLogger.logLevel = .notice
    let group = ServiceGroup(
      configuration: .init(
        services: [
          Housekeeper(context: context, server: server), Compactor(context: context), server,
          WorkerSupervisor(context: context), MetricsServer(context: context, listener: metrics),
          reloader, StopNotice(manager: context.manager),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: groupLogger))
    try await group.run()
  }

  private static func metricsListener(
    _ activation: SocketActivation, _ settings: DaemonSettings
  ) throws -> MetricsListener? {
    guard let passed = activation.metrics else {
      return try MetricsAddress(settings.metricsListen).listen()
    }
    let name = passed.path.isEmpty ? "loopback port \(passed.port)" : "unix:\(passed.path)"
    return MetricsListener(
      socket: passed.socket, name: name, isPort: passed.port > 0, claim: nil)
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
}

/// Tells the service manager that the daemon stops, as soon as it is asked to.
private struct StopNotice: Service {
  let manager: ServiceManager

  func run() async throws {
    try await gracefulShutdown()
    manager.isStopping()
  }
}

extension ServingCounters {
  /// Counts what a commit has changed.
  func count(_ change: StoreChange) {
    ingestedTriplets.wrappingAdd(change.addedTriplets, ordering: .relaxed)
    deletedTriplets.wrappingAdd(change.deletedTriplets, ordering: .relaxed)
    checksumFailures.wrappingAdd(change.quarantinedTriplets, ordering: .relaxed)
    expiredLeases.wrappingAdd(change.expiredLeases, ordering: .relaxed)
  }
}
