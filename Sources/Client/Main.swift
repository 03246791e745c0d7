import Foundation

/// The process: arguments in, an exit code out.
@main struct Main {
  static func main() {
    let status = CommandRunner.run(Array(CommandLine.arguments.dropFirst()), in: .standard())
    exit(status.rawValue)
  }
}
