import ArgumentParser
import Schema

/// The root of the commands.
struct Groundwell: ParsableCommand {

  static let configuration = CommandConfiguration(
    commandName: "groundwell",
    abstract: "Look at, fill and check a store of images, masks and prompts.",
    discussion: """
      Talks to groundwelld over its socket. Start one with 'groundwelld'; name another socket \
      with --socket or GROUNDWELL_SOCKET.

      Exit codes: 0 done, 1 problems found or a job failed, 2 wrong command line, 3 no daemon, \
      4 refused by the daemon, 124 deadline reached, 130 interrupted.
      """,
    version: "groundwell \(Release.version)",
    subcommands: [
      StatusCommand.self, CountsCommand.self, BackfillCommand.self, JobsCommand.self,
      JobCommand.self, QueryCommand.self, ShowCommand.self, SheetCommand.self,
      PlanCommand.self, StreamCommand.self, CheckCommand.self, DoctorCommand.self,
      ImportCommand.self, ExportCommand.self, DeleteCommand.self, CompactCommand.self,
      SearchCommand.self, QuarantineCommand.self, RecountCommand.self, BackupCommand.self,
    ])
}
