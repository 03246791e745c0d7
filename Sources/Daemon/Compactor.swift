import Logging
import Schema
import Store

/// Gives the space of deleted triplets back by itself, gently, when there is enough to gain.
struct Compactor: PeriodicService {
  /// How often it looks.
  static let interval: Duration = .seconds(5)

  let context: DaemonContext

  func tick() async {
    let (percent, store) = (context.settings.compactionDeadPercent, context.store)
    guard percent > 0 else { return }
    do {
      guard try await store.isCompactionDue(deadPercent: percent) else { return }
      let result = try await withTaskExecutorPreference(context.pool) {
        try await store.compact(deadPercent: percent, isGentle: true)
      }
      context.logger.info(
        "compacted",
        metadata: [
          "forgotten": "\(result.forgotten)", "moved": "\(result.moved)",
          "packs": "\(result.packs)", "freed_bytes": "\(result.freedBytes)",
        ])
    } catch {
      // Somebody has asked for one, or the disk fails: it is tried again.
      if (error as? StoreError)?.code == .busy { return }
      context.logger.error("packs were not compacted", metadata: ["error": "\(error)"])
    }
  }
}
