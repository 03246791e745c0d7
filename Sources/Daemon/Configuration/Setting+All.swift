import Logging
import Schema
import Wire

extension Setting {
  /// Every setting, in the order of the shipped file `groundwelld.toml`.
  static var all: [Setting] { store + server + workers + backfill + metrics + log + limits }

  /// The setting of a key such as `workers.count`.
  static func named(_ key: String) -> Setting? { all.first { $0.key == key } }

  private static var store: [Setting] {
    [
      Setting("store", "path", "--store", .text(\.storePath, path)),
      Setting(
        "store", "maximum_store_bytes", nil, .integer(\.maximumStoreBytes, 0...1 << 50),
        isLive: true),
      Setting(
        "store", "minimum_free_bytes", nil, .integer(\.minimumFreeBytes, 0...1 << 50),
        isLive: true),
      Setting(
        "store", "compaction_dead_percent", nil, .integer(\.compactionDeadPercent, 0...100),
        isLive: true),
      Setting(
        "store", "snapshot_linger_seconds", nil, .integer(\.snapshotLingerSeconds, 0...2_592_000)),
    ]
  }

  private static var server: [Setting] {
    [
      Setting("server", "socket", "--socket", .text(\.socketPath, path)),
      Setting(
        "server", "maximum_connections", "--maximum-connections",
        .integer(\.limits.maximumConnections, 1...65_536), isLive: true),
      Setting(
        "server", "stall_seconds", "--stall-seconds", .integer(\.limits.stallSeconds, 1...3600),
        isLive: true),
      Setting(
        "server", "pixel_cache_bytes", nil, .integer(\.pixelCacheBytes, 0...1 << 40),
        isLive: true),
    ]
  }

  private static var workers: [Setting] {
    [
      Setting("workers", "count", "--workers", .integer(\.workerCount, 0...64)),
      Setting(
        "workers", "generator", "--generator", .text(\.generatorSetting, pathOrNothing),
        isLive: true),
      Setting(
        "workers", "niceness", "--worker-niceness", .integer(\.workerNiceness, 0...19),
        isLive: true),
      Setting(
        "workers", "idle_seconds", "--worker-idle", .integer(\.workerIdleSeconds, 1...86_400),
        isLive: true),
    ]
  }

  private static var backfill: [Setting] {
    let sides = Limits.standard.minimumImageSide...Limits.standard.maximumImageSide
    return [
      Setting(
        "backfill", "image_size", "--image-size", .integer(\.defaultImageSize, sides),
        isLive: true)
    ]
  }

  private static var metrics: [Setting] {
    [
      Setting(
        "metrics", "listen", "--metrics",
        .text(\.metricsListen) { text in
          do throws(ConfigurationError) {
            _ = try MetricsAddress(text)
            return nil
          } catch {
            return error.message
          }
        })
    ]
  }

  private static var log: [Setting] {
    let levels = Logger.Level.allCases.map(\.rawValue)
    return [
      Setting("log", "level", "--log-level", .choice(\.logLevel, levels), isLive: true)
    ]
  }

  private static var limits: [Setting] {
    let standard = Limits.standard
    return [
      Setting(
        "limits", "maximum_outstanding_requests", nil,
        .integer(\.limits.maximumOutstandingRequests, 1...4096)),
      Setting("limits", "maximum_streams", nil, .integer(\.limits.maximumStreams, 1...4096)),
      Setting(
        "limits", "maximum_stream_slots", nil, .integer(\.limits.maximumStreamSlots, 1...4096)),
      Setting(
        "limits", "maximum_batch_bytes", nil,
        .integer(\.limits.maximumBatchBytes, 1 << 20...standard.maximumBatchBytes)),
      Setting(
        "limits", "maximum_unread_bytes", nil,
        .integer(\.limits.maximumUnreadBytes, 1 << 20...1 << 40)),
      Setting(
        "limits", "maximum_slot_bytes_per_connection", nil,
        .integer(\.limits.maximumSlotBytesPerConnection, 1 << 20...1 << 40)),
      Setting(
        "limits", "maximum_slot_bytes_per_user", nil,
        .integer(\.limits.maximumSlotBytesPerUser, 1 << 20...1 << 40)),
      Setting(
        "limits", "maximum_slot_bytes", nil,
        .integer(\.limits.maximumSlotBytes, 1 << 20...1 << 40)),
      Setting(
        "limits", "maximum_wait_seconds", nil, .integer(\.limits.maximumWaitSeconds, 1...86_400)),
      Setting(
        "limits", "maximum_lease_seconds", nil, .integer(\.limits.maximumLeaseSeconds, 1...86_400)),
    ]
  }

  private init(
    _ section: String, _ name: String, _ option: String?, _ kind: Kind, isLive: Bool = false
  ) {
    self.init(section: section, name: name, option: option, kind: kind, isLive: isLive)
  }

  private static func path(_ text: String) -> String? {
    text.isEmpty || text.utf8.contains(0) ? "expected a path" : nil
  }

  private static func pathOrNothing(_ text: String) -> String? {
    text.isEmpty ? nil : path(text)
  }
}
