import ArgumentParser
import Schema

/// `groundwell backfill`.
struct BackfillCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "backfill",
    abstract: "Bring categories up to a number of triplets.",
    usage: "groundwell backfill <categories> ... --target <n> [--wait] [<options>]",
    discussion: """
      The daemon makes a job of what is missing, or joins one that is under way. With --wait the \
      command shows how far it is; Ctrl-C then ends the command with exit code 130, not the job.
      """)

  @Argument(help: "The categories; one argument may hold several, split by commas.")
  var categories: [String]

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Triplets that each category should have.", valueName: "n"))
  var target: Int

  @Flag(help: "Wait until the jobs are finished; ends with 1 when one fails.")
  var wait = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --wait: give up after 90s, 15m, 2h; the exit code is 124, the jobs go on.",
      valueName: "time"))
  var timeout: TimeSpan?

  @Option(
    help: ArgumentHelp("Engine that makes them (default: the daemon's own).", valueName: "name"))
  var engine: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Pixels along a side of the images (default: the daemon's own).", valueName: "pixels"))
  var size: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Jobs with a higher number go first.", valueName: "n"))
  var priority = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seed of the jobs; the same seed makes the same triplets (default: chosen by the daemon).",
      valueName: "n"))
  var seed: Int64?

  @Flag(name: .customLong("no-companions"), help: "Keep other categories out of the images.")
  var isAlone = false

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    let limits = Limits.standard
    let sides = limits.minimumImageSide...limits.maximumImageSide
    let seeds = 0...((Int64(1) << 53) - 1)
    guard (1...limits.maximumTarget).contains(target) else {
      throw ValidationError("--target is \(target); expected 1 to \(limits.maximumTarget)")
    }
    if let size, !sides.contains(size) {
      throw ValidationError(
        "--size is \(size); expected \(sides.lowerBound) to \(sides.upperBound)")
    }
    if let seed, !seeds.contains(seed) {
      throw ValidationError("--seed is \(seed); expected 0 to \(seeds.upperBound)")
    }
    guard timeout == nil || wait else {
      throw ValidationError("--timeout is for --wait; without it the command ends at once")
    }
  }

  func run(in console: Console) throws(ClientError) {
    let names = try CategoryList.names(categories)
    let connection = try connection.connect(in: console)
    let known = try connection.call(Counts.self, Counts.Params()).categories.map(\.category)
    let answer = try connection.callAboutCategories(
      Backfill.self,
      Backfill.Params(
        goals: names.map { Backfill.Goal(category: $0, target: target) }, engine: engine,
        imageSize: size, priority: priority, seed: seed, companions: isAlone ? false : nil),
      categories: names)
    try console.write(
      output.json ? OutputOptions.line(answer) : BackfillReport.rendered(answer.outcomes))
    for outcome in answer.outcomes where outcome.outcome == "created" {
      guard let hint = CategoryHint.newName(outcome.category, known: known) else { continue }
      let ids = outcome.jobs.map { "\($0)" }.joined(separator: " ")
      console.note("groundwell: \(hint) 'groundwell job cancel \(ids)' takes this one back\n")
    }
    let jobs = BackfillReport.jobs(answer.outcomes)
    if wait, !jobs.isEmpty { try watch(jobs, over: connection, in: console) }
  }

  private func watch(
    _ jobs: [Int64], over connection: Connection, in console: Console
  ) throws(ClientError) {
    let finished = try Interruption.guarding(jobs: jobs, console: console) {
      () throws(ClientError) in
      try JobWatch(connection: connection, console: console, jobs: jobs)
        .wait(timeoutSeconds: timeout?.seconds)
    }
    if output.json { try console.write(OutputOptions.line(JobsResult(jobs: finished))) }
    if let failure = JobsReport.failure(finished) { throw ClientError(.failed, failure) }
  }
}

/// A span of time on a command line: `90s`, `15m`, `2h`.
struct TimeSpan: ExpressibleByArgument {
  /// Its length.
  let seconds: Double

  init?(argument: String) {
    guard let seconds = ReadableDuration.seconds(argument), seconds > 0 else { return nil }
    self.seconds = seconds
  }
}
