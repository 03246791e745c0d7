import ArgumentParser
import Foundation
import Logging
import Schema
import Store
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
      SIGHUP reads the configuration again.

      A value comes from an option, else from the environment (GROUNDWELL_WORKERS_COUNT for
      workers.count), else from the configuration file, else from the default.
      """,
    version: "groundwelld \(Release.version)")

  @Option(
    help: ArgumentHelp(
      """
      The configuration file (default: $GROUNDWELL_CONFIG, else \
      ~/.config/groundwell/groundwelld.toml, else /etc/groundwell/groundwelld.toml).
      """, valueName: "path"))
  var config: String?

  @Flag(help: "Print the settings in force and where each comes from, and end.")
  var printConfig = false

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Give any setting of the configuration file a value; may be repeated.",
      valueName: "section.key=value"))
  var assignments: [String] = []

  @Option(
    help: ArgumentHelp(
      "Make the store of this backup, verify it, and end; the store's folder must not be there.",
      valueName: "folder"))
  var restore: String?

  @Flag(
    help: ArgumentHelp(
      "With --restore: the same store to clients, whose tokens hold. Only where the original is gone."
    ))
  var keepIdentity = false

  @Option(help: ArgumentHelp("The folder of the store; made when missing.", valueName: "path"))
  var store: String?

  @Option(help: ArgumentHelp("The Unix socket to listen on.", valueName: "path"))
  var socket: String?

  @Option(
    help: ArgumentHelp(
      "Worker processes to spawn when there is work; 0 for none (default: 1).", valueName: "n"))
  var workers: Int?

  @Option(
    help: ArgumentHelp(
      "The generator to spawn; groundwell-generator beside this program otherwise.",
      valueName: "path"))
  var generator: String?

  @Option(help: ArgumentHelp("How nice workers are, 0 to 19 (default: 10).", valueName: "n"))
  var workerNiceness: Int?

  @Option(
    help: ArgumentHelp(
      "Seconds without work after which a worker ends (default: 60).", valueName: "seconds"))
  var workerIdle: Int?

  @Option(
    help: ArgumentHelp(
      "Pixels along a side of images that are made without a stated size (default: 64).",
      valueName: "pixels"))
  var imageSize: Int?

  @Option(
    help: ArgumentHelp(
      "Clients that may be connected at a time (default: 1024).", valueName: "n"))
  var maximumConnections: Int?

  @Option(
    help: ArgumentHelp(
      "Seconds that a client may leave answers unread, or a message unfinished (default: 30).",
      valueName: "seconds"))
  var stallSeconds: Int?

  @Option(
    help: ArgumentHelp(
      "Serve figures (OpenMetrics) at 127.0.0.1:PORT, [::1]:PORT or unix:PATH (default: nowhere).",
      valueName: "address"))
  var metrics: String?

  @Option(
    help: ArgumentHelp(
      "Least severe messages to log: trace, debug, info, notice, warning, error (default: info).",
      valueName: "level"))
  var logLevel: String?

  func validate() throws {
    guard restore != nil || !keepIdentity else {
      throw ValidationError("--keep-identity goes with --restore")
    }
    do throws(ConfigurationError) {
      // The options alone: a slip in them is told with the usage, whatever the file says.
      _ = try Configuration(options: try given())
    } catch {
      throw ValidationError("\(error)")
    }
  }

  func run() async throws {
    do {
      let options = try given()
      let read: @Sendable () throws(ConfigurationError) -> Configuration = {
        () throws(ConfigurationError) in
        try Configuration(
          options: options, filePath: config,
          environment: ProcessInfo.processInfo.environment)
      }
      let configuration = try read()
      guard !printConfig else { return print(configuration.printed) }
      if let restore { return try await makeStore(of: restore, configuration.settings) }
      try await DaemonRun(configuration, read: read).serve()
    } catch {
      FileHandle.standardError.write(Data("groundwelld: \(error)\n".utf8))
      throw ExitCode(1)
    }
  }

  private func makeStore(of backup: String, _ settings: DaemonSettings) async throws {
    umask(0o077)
    let (facts, check) = try await Restoration(
      backup, to: settings.storePath, keepsIdentity: keepIdentity
    ).run()
    print(
      "\(settings.storePath): \(check.triplets) triplets, snapshot \(facts.snapshot), "
        + "\(check.blobsRead) blobs verified, \(check.quarantined.count) set aside")
  }

  /// What the command line sets.
  private func given() throws(ConfigurationError) -> [Configuration.Given] {
    let values: [(String, String?)] = [
      ("--store", store), ("--socket", socket), ("--workers", workers.map(String.init)),
      ("--generator", generator), ("--worker-niceness", workerNiceness.map(String.init)),
      ("--worker-idle", workerIdle.map(String.init)), ("--image-size", imageSize.map(String.init)),
      ("--maximum-connections", maximumConnections.map(String.init)),
      ("--stall-seconds", stallSeconds.map(String.init)), ("--metrics", metrics),
      ("--log-level", logLevel),
    ]
    let settings = Setting.all
    var given: [Configuration.Given] = []
    for (option, value) in values {
      guard let value, let setting = settings.first(where: { $0.option == option }) else {
        continue
      }
      given.append(.init(key: setting.key, text: value, option: option))
    }
    for assignment in assignments {
      guard let equals = assignment.firstIndex(of: "=") else {
        throw ConfigurationError(
          "--set is '\(assignment.prefix(80))'; expected section.key=value")
      }
      let key = String(assignment[..<equals])
      given.append(
        .init(
          key: key, text: String(assignment[assignment.index(after: equals)...]),
          option: "--set \(key.prefix(80))"))
    }
    return given
  }
}
