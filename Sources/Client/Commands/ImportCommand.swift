public import ArgumentParser
import Formats
import Foundation
import Schema

/// The formats that are imported.
public enum ImportFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// PNG images and masks with a CSV or JSON of prompts.
  case folder
  /// A COCO file of annotations and PNG images.
  case coco
}

/// How a COCO file's crowds are taken.
public enum CrowdPolicy: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// A mask like any other.
  case keep
  /// Left out.
  case drop
}

/// `groundwell import`.
struct ImportCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Bring a data set of PNG images and masks into the store.",
    usage: "groundwell import <format> <path> [<options>]",
    discussion: """
      'folder' takes a folder with prompts.csv or prompts.json, 'coco' a COCO file of instances. \
      An item that the store has already, by source and name, is not sent again: run the same \
      command again after an interruption. JPEG files and PASCAL VOC: python -m \
      groundwell.importers. docs/import-export.md describes the formats.
      """)

  @Argument(help: "What to read: folder or coco.")
  var format: ImportFormat

  @Argument(help: ArgumentHelp("The folder, or the COCO file.", valueName: "path"))
  var path: String

  @Option(
    help: ArgumentHelp(
      "coco: the folder of the images (default: the folder of the file).", valueName: "folder"))
  var images: String?

  @Option(help: ArgumentHelp("coco: a COCO file of captions, for prompts.", valueName: "file"))
  var captions: String?

  @Option(help: "coco: whether regions that hold a crowd become masks.")
  var crowd = CrowdPolicy.keep

  @Option(
    help: ArgumentHelp(
      "folder: the index, .csv or .json (default: prompts.csv or prompts.json in it).",
      valueName: "file"))
  var prompts: String?

  @Option(
    help: ArgumentHelp(
      "Name of the data set, by which its items are known again (default: the full path).",
      valueName: "name"))
  var source: String?

  @Option(help: "What a broken item does: stop ends the import, skip leaves it out.")
  var onError = ErrorPolicy.stop

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Take at most this many items of the data set.", valueName: "n"))
  var limit: Int?

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit); expected 1 or more") }
    let isCOCO = format == .coco
    if isCOCO, prompts != nil { throw ValidationError("--prompts is for folder") }
    if !isCOCO, images != nil { throw ValidationError("--images is for coco") }
    if !isCOCO, captions != nil { throw ValidationError("--captions is for coco") }
    if let source, !(1...256).contains(source.utf8.count) {
      throw ValidationError("--source has \(source.utf8.count) bytes; expected 1 to 256")
    }
  }

  func run(in console: Console) throws(ClientError) {
    let source = try sourceName()
    // The daemon first: an index may take a minute to read.
    let connection = try connection.connect(in: console)
    let reader: any DatasetReader
    do throws(FormatError) {
      reader = try open()
    } catch {
      throw ClientError(.failed, error.message)
    }
    var run = ImportRun(
      connection: connection, console: console, source: source, policy: onError,
      limit: min(limit ?? .max, reader.itemCount))
    let summary = try run.take(reader)
    try console.write(output.json ? OutputOptions.line(summary) : summary.sentence)
    guard summary.broken == 0 else {
      throw ClientError(.failed, "\(Quantity.text(summary.broken, "broken item")) left out")
    }
  }

  private func open() throws(FormatError) -> any DatasetReader {
    switch format {
    case .folder: return try FolderReader(path, prompts: prompts)
    case .coco:
      let folder = (path as NSString).deletingLastPathComponent
      return try COCOReader(
        path, images: images ?? (folder.isEmpty ? "." : folder), captions: captions,
        crowd: crowd == .keep ? .keep : .drop)
    }
  }

  private func sourceName() throws(ClientError) -> String {
    if let source { return source }
    let full = URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path
    guard full.utf8.count <= 256 else {
      throw ClientError(
        .usage, "the path has \(full.utf8.count) bytes, too many for a name; give a --source")
    }
    return full
  }
}
