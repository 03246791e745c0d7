import ArgumentParser
import Schema

/// `groundwell compact`.
struct CompactCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "compact", abstract: "Give the space of deleted triplets back.",
    discussion: """
      Streams and writers go on meanwhile. What an open stream still sees stays until it is \
      closed. The daemon does the same by itself when enough of a pack is dead \
      (store.compaction_dead_percent).
      """)

  @Option(
    help: ArgumentHelp(
      "Empty packs of which at least so much is dead, 1 to 100.", valueName: "percent"))
  var dead = Compact.standardDeadPercent

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    guard (1...100).contains(dead) else {
      throw ValidationError("--dead is \(dead); expected 1 to 100")
    }
  }

  func run(in console: Console) throws(ClientError) {
    let answer = try connection.connect(in: console).callLong(
      Compact.self, Compact.Params(deadPercent: dead), "compacting", console)
    guard !output.json else { return try console.write(OutputOptions.line(answer)) }
    try console.write(CompactReport.rendered(answer))
  }
}
