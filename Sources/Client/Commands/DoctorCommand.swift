import ArgumentParser
import Schema
import Wire

/// `groundwell doctor`.
struct DoctorCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Look for what will go wrong: limits, space, versions, the socket, the store.",
    discussion: """
      Asks the daemon if one answers, and looks at the machine either way. Each finding says what to \
      do. Ends with 1 when something is wrong, 0 when there are warnings only.
      """)

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let path = connection.path(in: console)
    var findings = MachineCheck.findings() + SocketCheck.findings(path)
    do throws(ClientError) {
      let daemon = try connection.connect(in: console)
      findings += DaemonCheck.findings(
        status: try daemon.call(Status.self, Empty()),
        daemon: try daemon.call(Diagnose.self, Empty()),
        check: try daemon.call(Check.self, Check.Params(deep: false)))
    } catch {
      findings.append(Finding(.wrong, "daemon", error.message, "start it: groundwelld"))
    }
    try console.write(
      output.json
        ? OutputOptions.line(Finding.Report(findings))
        : DoctorReport.rendered(findings, style: console.style))
    let wrong = findings.count { $0.level == .wrong }
    guard wrong == 0 else {
      throw ClientError(.failed, "\(Quantity.text(wrong, "thing")) to put right")
    }
  }
}
