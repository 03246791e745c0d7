import ArgumentParser
import Schema

/// `groundwell check`.
struct CheckCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Compare the store's counts with a recount; ends with 1 when something is wrong.")

  @Flag(help: "Read every stored byte and compare it with its checksum as well.")
  var deep = false

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let found = try connection.connect(in: console).callLong(
      Check.self, Check.Params(deep: deep), "reading", console)
    try console.write(
      output.json
        ? OutputOptions.line(found) : CheckReport.rendered(found, style: console.style))
    guard CheckReport.isClean(found) else {
      let problems = Quantity.text(found.problems.count, "problem")
      let aside = Quantity.text(found.quarantined.count, "triplet")
      throw ClientError(
        .failed, "the store has \(problems), \(aside) set aside")
    }
  }
}
