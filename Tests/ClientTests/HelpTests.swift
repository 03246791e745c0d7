import Client
import Foundation
import Testing

/// The help of every command, word for word.
///
/// The texts stand in `docs/help/`, one file per command; a change of a command changes its file.
@Suite struct HelpTests {
  static let commands = [
    "", "status", "counts", "backfill", "jobs", "job", "job show", "job cancel", "query", "show",
    "sheet", "plan", "stream", "check", "doctor", "import", "export", "delete", "compact",
    "search", "quarantine", "quarantine list", "quarantine release", "quarantine delete", "recount",
    "backup",
  ]

  @Test("the help of a command is the text in its file", arguments: commands)
  func helpIsAsWritten(command: String) throws {
    let words = command.split(separator: " ").map(String.init)
    let name = command.isEmpty ? "groundwell" : words.joined(separator: "-")
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../docs/help/\(name).txt")
    let expected = try String(contentsOf: file, encoding: .utf8)
    let run = CommandRun(words + ["--help"])
    #expect(run.status == .success)
    #expect(run.errors.isEmpty)
    #expect(run.output == expected)
  }

  @Test("without a command, groundwell shows the same help")
  func helpWithoutCommand() {
    let run = CommandRun([])
    #expect(run.status == .success)
    #expect(run.output == CommandRun(["--help"]).output)
  }

  @Test("no line of a help is wider than the terminal", arguments: commands)
  func helpFitsTheTerminal(command: String) {
    let run = CommandRun(command.split(separator: " ").map(String.init) + ["--help"], columns: 60)
    // ArgumentParser does not break usage lines and its last one; they are short enough for 80 columns.
    let lines = run.output.split(separator: "\n").filter {
      !$0.hasPrefix("USAGE") && !$0.hasSuffix("for detailed help.")
    }
    let widest = lines.map(\.count).max() ?? 0
    #expect((20...60).contains(widest))
  }

  @Test("the version names the program")
  func version() {
    let run = CommandRun(["--version"])
    #expect(run.status == .success)
    #expect(run.output == "groundwell 0.1.0\n")
  }

  @Test("completion scripts know the commands", arguments: ["bash", "zsh", "fish"])
  func completions(shell: String) {
    let run = CommandRun(["--generate-completion-script", shell])
    #expect(run.status == .success)
    for command in ["counts", "backfill", "sheet", "plan"] { #expect(run.output.contains(command)) }
  }
}
