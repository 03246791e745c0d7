import Logging
import Schema
import Store
import Synchronization

/// What every session needs: the store, the settings, and who waits for what.
struct DaemonContext: Sendable {
  /// The store.
  let store: TripletStore
  /// The configuration, which changes at SIGHUP.
  let live: LiveSettings
  /// Wakes those who wait.
  let signal: ChangeSignal
  /// Who holds which lease.
  let leases = LeaseTable()
  /// What following streams share between their ranks.
  let follows = FollowTable()
  /// Runs what takes long: encoding, and reading without a batch.
  let pool: WorkPool
  /// What waits to be encoded there.
  let encodingLoad: EncodingLoad
  /// Writes the items of batches.
  let decoders: DecodePool
  /// What the slots of all connections take.
  let slotLedger: SlotLedger
  /// The last answer to `counts`.
  let countsCache = CountsCache()
  /// Figures for `status`.
  let figures: DaemonFigures
  /// Figures for the metrics endpoint.
  let counters: ServingCounters
  /// Where that endpoint is; nil when there is none.
  let metricsName: String?
  /// Who watches the daemon.
  let manager: ServiceManager
  /// The log.
  let logger: Logger

  init(
    store: TripletStore, live: LiveSettings, signal: ChangeSignal, decoders: DecodePool,
    pool: WorkPool, encodingLoad: EncodingLoad, slotLedger: SlotLedger, figures: DaemonFigures,
    counters: ServingCounters,
    metricsName: String?, manager: ServiceManager, logger: Logger
  ) {
    self.pool = pool
    self.encodingLoad = encodingLoad
    self.store = store
    self.live = live
    self.signal = signal
    self.decoders = decoders
    self.slotLedger = slotLedger
    self.figures = figures
    self.counters = counters
    self.metricsName = metricsName
    self.manager = manager
    self.logger = logger
  }

  /// The settings as they are now.
  var settings: DaemonSettings { live.current }
}

/// Figures that parts of the daemon keep for `status`.
final class DaemonFigures: Sendable {
  /// When the daemon started.
  let started = ContinuousClock.now
  /// Open connections.
  let connectionCount = Mutex(0)
  /// Open streams of all connections.
  let streamCount = Mutex(0)
  /// Whether a deep check is under way; one at a time.
  let isChecking = Mutex(false)
  /// The daemon's own workers, by slot.
  let workers = Mutex<[WorkerInfo]>([])
}
