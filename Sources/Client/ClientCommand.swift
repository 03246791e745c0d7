import ArgumentParser

/// A command of `groundwell`: parsed by ArgumentParser, run with a console.
protocol ClientCommand: ParsableCommand {
  /// Does what the command is for.
  func run(in console: Console) throws(ClientError)
}
