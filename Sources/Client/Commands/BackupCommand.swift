import ArgumentParser
import Foundation
import Schema

/// `groundwell backup`.
struct BackupCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Copy the store into a new folder, while the daemon serves.",
    discussion: """
      The daemon writes the folder, with its own rights; it must not be there yet, and gets its \
      name when all of it is on the disk. 'groundwelld --restore FOLDER --store PATH' makes a store \
      of it.
      """)

  @Argument(help: ArgumentHelp("The folder to make.", valueName: "folder"))
  var folder: String

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    // The daemon may have been started elsewhere.
    let here = FileManager.default.currentDirectoryPath
    let path = folder.hasPrefix("/") ? folder : here + "/" + folder
    let answer = try connection.connect(in: console).callLong(
      Backup.self, Backup.Params(directory: path), "copying", console)
    guard !output.json else { return try console.write(OutputOptions.line(answer)) }
    try console.write(
      "\(path): \(Quantity.text(answer.triplets, "triplet")), snapshot \(answer.snapshot), "
        + "\(StatusReport.bytes(answer.bytes)) in \(Quantity.text(answer.files.count, "file"))\n")
  }
}
