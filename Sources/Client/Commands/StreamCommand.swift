import ArgumentParser
import Schema
import Wire

/// `groundwell stream`.
struct StreamCommand: ClientCommand {
  /// Time between two tables or lines.
  private static let interval: Duration = .seconds(1)

  static let configuration = CommandConfiguration(
    commandName: "stream",
    abstract: "Read batches of a stream and show how fast they come and what they hold.",
    usage: "groundwell stream [<categories> ...] [<options>]",
    discussion: """
      Takes batches as a trainer would and throws them away. Once a second it tells batches and \
      megabytes per second, the draws of each category, and what the batches waited for. Goes on \
      after a restart of the daemon; ends with Ctrl-C or after --batches.
      """)

  @OptionGroup var stream: StreamOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("End after this many batches (default: never).", valueName: "n"))
  var batches: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Begin with this batch.", valueName: "k"))
  var from = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Pixels along a side of the images.", valueName: "pixels"))
  var imageSize: Int?

  @Flag(help: "Take the batches through the socket instead of shared memory.")
  var inline = false

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if let batches, batches < 1 {
      throw ValidationError("--batches is \(batches); expected 1 or more")
    }
    guard (0...Limits.standard.maximumBatchNumber).contains(from) else {
      throw ValidationError(
        "--from is \(from); expected 0 to \(Limits.standard.maximumBatchNumber)")
    }
  }

  func run(in console: Console) throws(ClientError) {
    var params = try stream.params()
    params.imageSize = imageSize
    params.delivery = inline ? "inline" : "memfd"
    params.prompts = false
    let batches: BatchStream
    do throws(WireError) {
      batches = try BatchStream(
        socketPath: connection.path(in: console), clientName: "groundwell stream", params,
        from: from)
    } catch {
      throw ClientError(error)
    }
    try show(batches, console)
  }

  private func show(_ stream: BatchStream, _ console: Console) throws(ClientError) {
    var report = StreamReport(stream.opened, from: from, at: console.instant())
    let isMoving = console.columns != nil && !output.json
    var shown = console.instant()
    var paintedLines = 0
    func write(_ isLast: Bool) throws(ClientError) {
      guard !output.json else { return try console.write(OutputOptions.line(report.figures)) }
      let text =
        isMoving || isLast
        ? report.rendered(columns: console.columns, style: console.style)
        : report.sentence + "\n"
      let back = paintedLines > 0 ? "\u{1B}[\(paintedLines)A\u{1B}[J" : ""
      try console.write(back + text)
      paintedLines = isMoving ? text.count(where: { $0 == "\n" }) : 0
    }
    while report.batches < batches ?? .max {
      do throws(WireError) {
        report.add(try stream.next(), at: console.instant())
      } catch {
        throw ClientError(error)
      }
      guard shown.duration(to: console.instant()) >= Self.interval else { continue }
      shown = console.instant()
      try write(false)
    }
    try write(true)
  }
}
