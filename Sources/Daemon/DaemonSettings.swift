import Foundation
import Schema
import Store
import Wire

/// Everything that can be set; each has a default, so that `groundwelld` alone works.
///
/// ``Setting/all`` has the name, the range and the other sources of each.
struct DaemonSettings: Sendable, Equatable {
  /// The folder of the store.
  var storePath: String
  /// Bytes of packs and catalog together; 0 for any number.
  var maximumStoreBytes = 0
  /// Bytes that stay free on the store's file system.
  var minimumFreeBytes = 256 << 20
  /// Percent of a pack that must be dead for the daemon to empty it by itself; 0 for never.
  var compactionDeadPercent = 30
  /// Seconds that a snapshot stays whole behind a stream that ended without being closed.
  var snapshotLingerSeconds = 600
  /// The socket to listen on.
  var socketPath: String
  /// Bytes of memory for decoded images that streams draw again and again; 0 for none.
  var pixelCacheBytes = 1 << 30
  /// Worker processes that the daemon spawns when there is work; 0 for none.
  var workerCount = 1
  /// The generator's executable; empty for the one beside the daemon.
  var generatorSetting = ""
  /// How nice the workers are, 0 to 19: serving goes first.
  var workerNiceness = 10
  /// Seconds without work after which a worker ends.
  var workerIdleSeconds = 60
  /// The engine of backfills that name none.
  var defaultEngine = "scenes"
  /// Pixels along a side of the images of backfills that name no size.
  var defaultImageSize = 64
  /// Where figures are served, see ``MetricsAddress``; empty for nowhere.
  var metricsListen = ""
  /// The least severe messages that are logged.
  var logLevel = "info"
  /// What `hello` reports and every part enforces.
  var limits = Limits.standard

  /// The defaults under an environment, whose `GROUNDWELL_` variables are not looked at.
  init(environment: [String: String] = [:]) {
    let others = environment.filter { !$0.key.hasPrefix("GROUNDWELL_") }
    storePath = Self.standardStorePath(environment: others)
    socketPath = SocketPath.standard(environment: others)
  }

  /// `groundwell/store` under `$XDG_DATA_HOME` or `~/.local/share`.
  private static func standardStorePath(environment: [String: String]) -> String {
    if let directory = environment["XDG_DATA_HOME"], !directory.isEmpty {
      return directory + "/groundwell/store"
    }
    return (environment["HOME"] ?? NSHomeDirectory()) + "/.local/share/groundwell/store"
  }

  /// How much the store may take of its disk.
  var space: SpaceLimits {
    SpaceLimits(maximumStoreBytes: maximumStoreBytes, minimumFreeBytes: minimumFreeBytes)
  }

  /// The pixel cache's bytes: the setting, and never more than an eighth of the machine's memory.
  var pixelCacheLimit: Int {
    min(pixelCacheBytes, Int(clamping: ProcessInfo.processInfo.physicalMemory / 8))
  }

  /// The generator's executable; nil when none was found.
  var generatorPath: String? {
    generatorSetting.isEmpty ? Self.generatorBesideDaemon() : generatorSetting
  }

  /// `groundwell-generator` in the folder of this program; nil when it is not there.
  private static func generatorBesideDaemon() -> String? {
    let path = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("groundwell-generator").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }
}
