package import ArgumentParser
import Schema

/// The program `groundwell-generator`.
@main
package struct GroundwellGenerator: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "groundwell-generator",
    abstract: "Makes triplets for groundwelld, and shows how.",
    version: "groundwell-generator \(Release.version)",
    subcommands: [
      WorkCommand.self, ScenesCommand.self, CategoriesCommand.self, BenchScenesCommand.self,
      SampleCommand.self, AutoencodeCommand.self, InspectCommand.self, BenchCommand.self,
      TrainCommand.self, GroundCommand.self, TuneTokenCommand.self, EvaluateCommand.self,
    ])

  package init() {}
}
