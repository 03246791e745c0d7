import ArgumentParser
import Schema

/// `groundwell status`.
struct StatusCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Tell how the daemon, its store and its workers are.")

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let status = try connection.connect(in: console).call(Status.self, Empty())
    guard !output.json else { return try console.write(OutputOptions.line(status)) }
    try console.write(
      StatusReport.rendered(status, columns: console.columns, style: console.style))
  }
}
