import Schema
import Store

/// What `groundwell doctor` asks.
extension Session {
  func diagnose() async throws -> Diagnose.Result {
    let process = ProcessFigures.read()
    let files = StoreFiles(context.store.path)
    let versions = try await context.store.libraryVersions()
    let manager = context.manager
    return Diagnose.Result(
      sqlite: versions.sqlite, lz4: versions.lz4, xxhash: versions.xxhash,
      residentBytes: process.residentBytes, openDescriptors: process.openDescriptors,
      maximumDescriptors: process.maximumDescriptors,
      maximumLockedBytes: process.maximumLockedBytes, storeFreeBytes: files.freeBytes,
      storeTotalBytes: files.totalBytes, storeBytes: context.store.storeBytes,
      maximumStoreBytes: context.settings.maximumStoreBytes,
      minimumFreeBytes: context.settings.minimumFreeBytes,
      full: context.store.fullness?.message, deadBytes: context.store.summary.deadBytes,
      walBytes: files.walBytes,
      slotBytes: context.slotLedger.totalBytes,
      maximumSlotBytes: context.settings.limits.maximumSlotBytes,
      refusal: await context.store.refusal,
      configuration: context.live.configuration.file, metrics: context.metricsName,
      supervised: manager.isPresent,
      watchdogSeconds: manager.watchdogInterval.map { Int($0.components.seconds) * 2 })
  }
}
