import ArgumentParser
import Schema

/// Turns arguments into a command, and every failure into one sentence and an exit code.
package enum CommandRunner {
  /// Characters of the longest error message; what users typed may be longer.
  private static let maximumMessageCharacters = 600
  private static let helpColumns = 80

  /// Runs one command line, given without the program's name.
  package static func run(_ arguments: [String], in console: Console) -> ExitStatus {
    if let slip = unknownCommand(arguments) { return report(slip, in: console) }
    do {
      var command = try Groundwell.parseAsRoot(arguments)
      if let command = command as? any ClientCommand {
        try command.run(in: console)
      } else {
        try command.run()
      }
      return .success
    } catch let error as ClientError {
      return report(error, in: console)
    } catch {
      return answer(error, arguments: arguments, in: console)
    }
  }

  /// A first word that is no command, with the command that it resembles.
  private static func unknownCommand(_ arguments: [String]) -> ClientError? {
    let names = Groundwell.configuration.subcommands.map { $0._commandName } + ["help"]
    guard let word = arguments.first, !word.hasPrefix("-"), !names.contains(word) else {
      return nil
    }
    let near = Suggestion.nearest(to: String(word.prefix(32)), among: names)
    let remedy = near.map { "did you mean '\($0)'?" } ?? "see 'groundwell --help'"
    return ClientError(.usage, "no command '\(word.prefix(80))'; \(remedy)")
  }

  /// Help, a version and a completion script come as errors as well; they are none.
  private static func answer(
    _ error: any Error, arguments: [String], in console: Console
  ) -> ExitStatus {
    guard Groundwell.exitCode(for: error).isSuccess else {
      let message = Groundwell.message(for: error)
      let help = "see '\(commandPath(arguments).joined(separator: " ")) --help'"
      return report(ClientError(.usage, "\(lowercasedFirst(message)); \(help)"), in: console)
    }
    do throws(ClientError) {
      let text = Groundwell.fullMessage(for: error, columns: console.columns ?? helpColumns)
      try console.write(text.hasSuffix("\n") ? text : text + "\n")
      return .success
    } catch {
      return report(error, in: console)
    }
  }

  private static func report(_ error: ClientError, in console: Console) -> ExitStatus {
    let lines = error.message.split(whereSeparator: \.isNewline)
      .map { $0.trimmingPrefix(while: \.isWhitespace) }
    let sentence = PrintableText.clean(lines.joined(separator: " "))
    let limit = maximumMessageCharacters
    let shown = sentence.count <= limit ? sentence : sentence.prefix(limit) + "…"
    console.note("groundwell: \(shown)\n")
    return error.status
  }

  /// The command that the arguments name, as far as they name one.
  private static func commandPath(_ arguments: [String]) -> [String] {
    var path = [Groundwell._commandName]
    var commands = Groundwell.configuration.subcommands
    for argument in arguments {
      guard let next = commands.first(where: { $0._commandName == argument }) else { break }
      path.append(argument)
      commands = next.configuration.subcommands
    }
    return path
  }

  private static func lowercasedFirst(_ text: String) -> String {
    let text = text.hasSuffix(".") ? String(text.dropLast()) : text
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
