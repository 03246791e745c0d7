import Foundation
import TestSupport

/// One of the built programs, run to its end.
struct Program {
  /// Its exit status.
  let status: Int32
  /// What it wrote to its standard output.
  let output: String
  /// What it wrote to its standard error.
  let errors: String

  /// Runs `name` with the daemon's socket in its environment.
  init(_ name: String, _ arguments: [String], daemon: DaemonProcess) throws {
    let process = Self.process(name, arguments, daemon: daemon)
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // Both are small enough for a pipe, so one may be read after the other.
    self.output = String(
      decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    self.errors = String(
      decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    status = process.terminationStatus
  }

  /// `name`, ready to run.
  static func process(
    _ name: String, _ arguments: [String], daemon: DaemonProcess
  ) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: DaemonProcess.binaries + "/" + name)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["GROUNDWELL_SOCKET": daemon.socket, "NO_COLOR": "1", "COLUMNS": "70"],
      uniquingKeysWith: { $1 })
    process.standardInput = FileHandle.nullDevice
    return process
  }
}
