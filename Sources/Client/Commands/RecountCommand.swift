import ArgumentParser
import Schema

/// `groundwell recount`.
struct RecountCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "recount",
    abstract: "Count everything afresh and correct what disagrees; ends with 1 when some stays.",
    discussion: "'groundwell check' tells what disagrees and changes nothing.")

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let answer = try connection.connect(in: console).callLong(
      Recount.self, Empty(), "counting", console)
    if output.json {
      try console.write(OutputOptions.line(answer))
    } else {
      var text = "corrected \(Quantity.text(answer.corrected.count, "count"))\n"
      for problem in answer.corrected { text += "corrected  \(PrintableText.clean(problem))\n" }
      for problem in answer.left {
        text += console.style.paint("problem", .red) + "  \(PrintableText.clean(problem))\n"
      }
      try console.write(text)
    }
    guard answer.left.isEmpty else {
      throw ClientError(
        .failed, "\(Quantity.text(answer.left.count, "problem")) that no recount corrects")
    }
  }
}
