import Foundation
import Schema
import Wire

/// Everything that can be set; each has a default, so that `groundwelld` alone works.
struct DaemonSettings: Sendable, Equatable {
  /// The version that `hello`, `status` and `--version` tell.
  static let version = "0.1.0"

  /// The folder of the store.
  var storePath: String
  /// The socket to listen on.
  var socketPath: String
  /// Worker processes that the daemon spawns when there is work; 0 for none.
  var workerCount = 1
  /// The generator's executable; nil when none was found beside the daemon.
  var generatorPath: String?
  /// How nice the workers are, 0 to 19: serving goes first.
  var workerNiceness = 10
  /// Seconds without work after which a worker ends.
  var workerIdleSeconds = 60
  /// The engine of backfills that name none.
  var defaultEngine = "scenes"
  /// Pixels along a side of the images of backfills that name no size.
  var defaultImageSize = 64
  /// What `hello` reports and every part enforces.
  var limits = Limits.standard

  /// `$GROUNDWELL_STORE`, else `groundwell/store` under `$XDG_DATA_HOME` or `~/.local/share`.
  static func standardStorePath(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String {
    if let path = environment["GROUNDWELL_STORE"], !path.isEmpty { return path }
    if let directory = environment["XDG_DATA_HOME"], !directory.isEmpty {
      return directory + "/groundwell/store"
    }
    return (environment["HOME"] ?? NSHomeDirectory()) + "/.local/share/groundwell/store"
  }

  /// `groundwell-generator` in the folder of this program; nil when it is not there.
  static func generatorBesideDaemon() -> String? {
    let path = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("groundwell-generator").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }
}
