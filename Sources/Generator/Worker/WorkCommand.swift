import ArgumentParser
import Foundation
import Schema
import Wire

/// `groundwell-generator work`.
struct WorkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "work", abstract: "Takes work from the daemon and hands in triplets.",
    discussion: """
      Stops on SIGTERM or SIGINT after the item at hand. When the daemon goes away, it is waited \
      for, unless --spawned, --once or --idle-exit say otherwise.
      """)

  @Option(help: ArgumentHelp("The daemon's socket.", valueName: "path"))
  var socket: String

  @Option(help: "The engine; this version has 'scenes'.")
  var engine = SceneEngine.name

  @Option(help: "The name that triplets are marked with.")
  var name = "worker"

  @Option(help: "Items in one lease, 1 to 256.")
  var count = 32

  @Option(help: ArgumentHelp("Exit after so long without work.", valueName: "seconds"))
  var idleExit: Double?

  @Flag(help: "Exit as soon as there is no work.")
  var once = false

  @Flag(help: "Exit when the daemon goes away; given by a daemon to its own workers.")
  var spawned = false

  @OptionGroup var spriteOptions: SpriteOptions

  /// The longest pause before a daemon that went away is tried again.
  private static let maximumBackOffSeconds = 5.0

  func validate() throws {
    guard engine == SceneEngine.name else {
      throw ValidationError("--engine is '\(engine)'; this version has 'scenes'")
    }
    guard (1...Limits.standard.maximumLeaseItems).contains(count) else {
      throw ValidationError(
        "--count is \(count); expected 1 to \(Limits.standard.maximumLeaseItems)")
    }
    guard (1...256).contains(name.utf8.count) else {
      throw ValidationError("--name has \(name.utf8.count) bytes; expected 1 to 256")
    }
    guard idleExit.map({ $0 >= 0 && $0 <= 86400 }) ?? true else {
      throw ValidationError("--idle-exit is \(idleExit ?? 0); expected 0 to 86400 seconds")
    }
  }

  func run() throws {
    let stop = StopSignal()
    let sources = stop.listen()
    defer { sources.forEach { $0.cancel() } }
    let engine = SceneEngine(library: try spriteOptions.library())
    var backOff = 0.25
    while !stop.isWished {
      do throws(WireError) {
        let client = try DaemonClient.connect(socketPath: socket, clientName: name)
        backOff = 0.25
        try work(client, engine, stop)
        return
      } catch {
        let isAway =
          [.unreachable, .closed, .timedOut].contains(error.code) || error.word == .stopping
        // A worker of the daemon's own ends with it; that is no failure.
        if spawned, error.code == .closed || error.word == .stopping { return }
        guard isAway, !spawned, !once, idleExit == nil else { throw error }
        pause(backOff, stop)
        backOff = min(Self.maximumBackOffSeconds, backOff * 2)
      }
    }
  }

  private func work(
    _ client: DaemonClient, _ engine: SceneEngine, _ stop: StopSignal
  ) throws(WireError) {
    var loop = WorkerLoop(
      client: client, engine: engine,
      settings: .init(
        name: name, itemsPerLease: count, idleSeconds: idleExit, endsWhenIdle: once),
      stop: stop)
    _ = try loop.run()
    guard !spawned else { return }
    print("\(loop.madeCount) triplets handed in, \(loop.failedCount) items failed")
  }

  private func pause(_ seconds: Double, _ stop: StopSignal) {
    let end = ContinuousClock.now + .seconds(seconds)
    while !stop.isWished, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.05) }
  }
}
