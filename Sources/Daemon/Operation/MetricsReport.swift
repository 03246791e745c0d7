import Foundation
import Schema
import Store
import Synchronization

/// All figures of the daemon as OpenMetrics text; everything comes from memory, but for the size
/// of one file.
struct MetricsReport {
  /// Categories that are listed; the figure of how many are left out says so.
  static let maximumCategories = 4096

  let context: DaemonContext

  /// The text.
  func text() -> String {
    var text = OpenMetricsText()
    addProcess(&text)
    addBatches(&text)
    addStore(&text)
    addCategories(&text)
    addWork(&text)
    addClients(&text)
    return text.finished
  }

  private func value(_ counter: borrowing Atomic<Int>) -> Double {
    Double(counter.load(ordering: .relaxed))
  }

  private func addProcess(_ text: inout OpenMetricsText) {
    text.add(
      .info, "daemon", "The daemon's version and its store.",
      [([("version", Release.version), ("store", context.store.uuid)], 1)])
    let uptime = context.figures.started.duration(to: .now) / .seconds(1)
    text.add(.gauge, "uptime_seconds", unit: "seconds", "Time since the daemon started.", uptime)
    let process = ProcessFigures.read()
    text.add(
      .gauge, "resident_memory_bytes", unit: "bytes",
      "Memory of the daemon, shared memory of batches included.", Double(process.residentBytes))
    text.add(
      .gauge, "open_descriptors", "Descriptors that the daemon has open.",
      Double(process.openDescriptors))
    text.add(
      .gauge, "maximum_descriptors", "Descriptors that the daemon may have open.",
      Double(process.maximumDescriptors))
  }

  private func addBatches(_ text: inout OpenMetricsText) {
    let counters = context.counters
    text.add(
      .counter, "batches", "Batches handed out.",
      [
        ([("delivery", "inline")], value(counters.inlineBatches)),
        ([("delivery", "memfd")], value(counters.sharedBatches)),
      ])
    text.add(
      .counter, "batch_bytes", unit: "bytes", "Bytes of those batches.",
      value(counters.batchBytes))
    text.add(
      .counter, "batch_triplets", "Triplets in those batches.", value(counters.batchTriplets))
    text.add(
      .counter, "pixel_cache_hits", "Triplets of batches whose pixels were in memory, decoded.",
      value(counters.keptPixels))
    text.add(
      .gauge, "pixel_cache_bytes", unit: "bytes", "Memory of those pixels.",
      Double(context.store.pixelCache.bytes))
    text.add(
      .counter, "batch_wait_seconds", unit: "seconds",
      "What batches waited for: decoding, the disk, a turn within quotas, thin categories.",
      [
        ([("cause", "decode")], value(counters.decodeMicroseconds) / 1e6),
        ([("cause", "disk")], value(counters.diskMicroseconds) / 1e6),
        ([("cause", "quota")], value(counters.quotaMicroseconds) / 1e6),
        ([("cause", "thin")], value(counters.thinMicroseconds) / 1e6),
      ])
    text.add(
      .gauge, "queue_depth",
      "What is waiting: batches to be made, triplets to be durable, items to be leased.",
      [
        ([("queue", "batches")], value(counters.batchesInHand)),
        ([("queue", "commits")], value(counters.commitsInHand)),
        ([("queue", "work")], Double(pendingItems)),
      ])
    text.add(
      .gauge, "slot_bytes", unit: "bytes", "Shared memory of all clients' slots.",
      Double(context.slotLedger.totalBytes))
  }

  private func addStore(_ text: inout OpenMetricsText) {
    let (summary, counters) = (context.store.summary, context.counters)
    text.add(.gauge, "triplets", "Live triplets.", Double(summary.triplets))
    text.add(
      .gauge, "quarantined_triplets", "Triplets set aside because their bytes broke.",
      Double(summary.quarantined))
    text.add(.gauge, "snapshot", "The last change-sequence number.", Double(summary.snapshot))
    text.add(
      .gauge, "pack_bytes", unit: "bytes", "Bytes of all packs.", Double(summary.packBytes))
    text.add(
      .gauge, "store_bytes", unit: "bytes", "Bytes of packs and catalog.",
      Double(context.store.storeBytes))
    text.add(
      .gauge, "maximum_store_bytes", unit: "bytes", "Bytes that these may take; 0 for any number.",
      Double(context.settings.maximumStoreBytes))
    text.add(
      .gauge, "minimum_free_bytes", unit: "bytes",
      "Bytes that must stay free on the store's file system.",
      Double(context.settings.minimumFreeBytes))
    text.add(
      .gauge, "store_full", "1 while the store takes no more triplets, else 0.",
      context.store.fullness == nil ? 0 : 1)
    text.add(
      .gauge, "dead_bytes", unit: "bytes", "Bytes of packs that compaction can give back.",
      Double(summary.deadBytes))
    text.add(
      .gauge, "deleted_triplets_waiting",
      "Deleted triplets that a snapshot may still show, or that compaction has not come to.",
      Double(summary.deleted))
    text.add(
      .counter, "deleted_triplets", "Triplets that were deleted.",
      value(counters.deletedTriplets))
    text.add(
      .gauge, "wal_bytes", unit: "bytes", "Bytes of the catalog's write-ahead log.",
      Double(StoreFiles(context.store.path).walBytes))
    text.add(
      .gauge, "store_free_bytes", unit: "bytes", "Bytes left on the file system of the store.",
      Double(StoreFiles(context.store.path).freeBytes))
    text.add(
      .counter, "ingested_triplets", "Triplets that became durable.",
      value(counters.ingestedTriplets))
    text.add(
      .counter, "ingested_bytes", unit: "bytes", "Bytes of pixels and masks that came with them.",
      value(counters.ingestedBytes))
    text.add(
      .counter, "checksum_failures", "Triplets whose bytes were not what was written.",
      value(counters.checksumFailures))
  }

  private func addCategories(_ text: inout OpenMetricsText) {
    // Asked for all categories there is no name to be unknown.
    let counts: [CategoryCount]
    do throws(StoreError) {
      counts = try context.store.counts().categories
    } catch {
      counts = []
    }
    let listed = counts.prefix(Self.maximumCategories)
    let samples = { (value: (CategoryCount) -> Int) in
      listed.map { count in
        (labels: [(name: "category", value: count.category.text)], value: Double(value(count)))
      }
    }
    text.add(.gauge, "category_stock", "Triplets that a category has.", samples(\.stock))
    text.add(.gauge, "category_target", "Triplets that it should have.", samples(\.target))
    text.add(.gauge, "category_shortfall", "Triplets that it lacks.", samples(\.shortfall))
    text.add(
      .gauge, "category_pending", "Triplets that are being made for it.", samples(\.pending))
    text.add(
      .gauge, "categories", "Categories that have triplets, a target or work.",
      Double(counts.count))
    text.add(
      .gauge, "categories_left_out", "Categories beyond the number that is listed here.",
      Double(counts.count - listed.count))
  }

  private var pendingItems: Int {
    context.store.summary.activeJobs.reduce(0) { $0 + $1.items - $1.done - $1.parked - $1.leased }
  }

  private func addWork(_ text: inout OpenMetricsText) {
    let summary = context.store.summary
    text.add(.gauge, "active_jobs", "Jobs that are not finished.", Double(summary.activeJobs.count))
    text.add(
      .gauge, "leased_items", "Items that a worker holds.",
      Double(summary.activeJobs.reduce(0) { $0 + $1.leased }))
    text.add(
      .gauge, "parked_items", "Items of unfinished jobs that failed too often.",
      Double(summary.activeJobs.reduce(0) { $0 + $1.parked }))
    text.add(
      .counter, "lease_expiries", "Leases whose time ran out.",
      value(context.counters.expiredLeases))
    let workers = context.figures.workers.withLock { $0 }
    text.add(
      .gauge, "workers", "Worker processes of the daemon's own, by state.",
      ["running", "idle", "backing off"].map { state in
        ([("state", state)], Double(workers.count { $0.state == state }))
      })
  }

  private func addClients(_ text: inout OpenMetricsText) {
    let (figures, counters) = (context.figures, context.counters)
    text.add(
      .gauge, "connections", "Open connections.", Double(figures.connectionCount.withLock { $0 }))
    text.add(.gauge, "streams", "Open streams.", Double(figures.streamCount.withLock { $0 }))
    text.add(
      .counter, "connection_events",
      "Connections taken, turned away, closed because they stood still or broke a frame.",
      [
        ([("event", "accepted")], value(counters.acceptedConnections)),
        ([("event", "refused")], value(counters.refusedConnections)),
        ([("event", "stalled")], value(counters.stalledConnections)),
        ([("event", "broken")], value(counters.brokenConnections)),
      ])
    text.add(
      .counter, "requests", "Requests that were answered with a result.",
      value(counters.answeredRequests))
    let refusals = counters.refusalsByWord.sorted { $0.key.rawValue < $1.key.rawValue }
    text.add(
      .counter, "refusals", "Requests that were answered with an error, by its word.",
      refusals.map { ([("word", $0.key.rawValue)], Double($0.value)) })
  }
}
