import ArgumentParser
import Schema

/// `groundwell jobs`.
struct JobsCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "List backfill jobs, newest first.",
    usage: "groundwell jobs [<options>]")

  @Option(help: "Only jobs in this state.")
  var state: JobState?

  @Option(parsing: .unconditional, help: ArgumentHelp("At most this many.", valueName: "n"))
  var limit = 100

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    let range = 1...Limits.standard.maximumQueryRows
    guard range.contains(limit) else {
      throw ValidationError("--limit is \(limit); expected 1 to \(range.upperBound)")
    }
  }

  func run(in console: Console) throws(ClientError) {
    let answer = try connection.connect(in: console).call(
      JobList.self, JobList.Params(state: state, limit: limit))
    guard !output.json else { return try console.write(OutputOptions.line(answer)) }
    try console.write(
      JobsReport.rendered(
        answer.jobs, now: console.now(), columns: console.columns, style: console.style))
  }
}
