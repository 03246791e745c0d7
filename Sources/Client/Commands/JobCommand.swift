import ArgumentParser
import Schema

/// `groundwell job`: one job at a time.
struct JobCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "job", abstract: "Look at or cancel single jobs.",
    subcommands: [JobShowCommand.self, JobCancelCommand.self])
}

/// `groundwell job show`.
struct JobShowCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show all that is known of a job.")

  @Argument(help: "Number of the job, as 'groundwell jobs' lists it.")
  var job: Int64

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let answer = try connection.connect(in: console).call(
      JobList.self, JobList.Params(jobs: [job]))
    guard let info = answer.jobs.first else {
      throw ClientError(
        .refused, "the store has no job \(job); 'groundwell jobs' lists those it has")
    }
    try console.write(output.json ? OutputOptions.line(info) : JobsReport.details(info))
  }
}

/// `groundwell job cancel`.
struct JobCancelCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel",
    abstract: "Cancel jobs; the triplets that they have made stay.")

  @Argument(help: "Numbers of the jobs, as 'groundwell jobs' lists them.")
  var jobs: [Int64]

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let answer = try connection.connect(in: console).call(
      JobCancel.self, JobCancel.Params(jobs: jobs))
    guard !output.json else { return try console.write(OutputOptions.line(answer)) }
    let lines = answer.jobs.map { job in
      "job \(job.job) ('\(job.category)'): \(job.state.rawValue), "
        + "\(job.done) of \(job.items) done\n"
    }
    try console.write(lines.joined())
  }
}
