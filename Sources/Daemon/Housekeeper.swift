import Logging
import Store
import Synchronization
import Wire

/// Does what time asks for: leases that ran out, clients that stand still, waiters' deadlines,
/// memory that nobody uses.
struct Housekeeper: PeriodicService {
  /// How often it looks.
  static let interval: Duration = .milliseconds(250)

  let context: DaemonContext
  let server: Server

  func tick() async {
    context.store.setSpaceLimits(context.settings.space)
    do {
      try await context.store.expireLeases()
    } catch {
      context.logger.error("old leases stay", metadata: ["error": "\(error)"])
    }
    do {
      try await context.store.keepSnapshots()
    } catch {
      context.logger.error(
        "held snapshots are not written down", metadata: ["error": "\(error)"])
    }
    context.store.pixelCache.maximumBytes = context.settings.pixelCacheLimit
    let streams = context.figures.streamCount.withLock { $0 }
    if context.store.pixelCache.follow(streams: streams) { trimFreedMemory() }
    context.signal.notify()
    let stalled = await server.closeStalled()
    context.counters.stalledConnections.wrappingAdd(stalled, ordering: .relaxed)
    // Here and nowhere else: the store's queue, the server and all connections have answered.
    context.manager.hasComeRound()
  }
}
