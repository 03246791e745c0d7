import ArgumentParser
import Imaging
import Schema

/// `groundwell sheet`.
struct SheetCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "sheet",
    abstract: "Draw a contact sheet of triplets, their masks in colour, with a legend.",
    usage: "groundwell sheet [<options>] --output <file>")

  @OptionGroup var filter: FilterOptions

  @Option(parsing: .unconditional, help: ArgumentHelp("Triplets on the sheet.", valueName: "n"))
  var count = 24

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Triplets side by side (default: what suits their number).", valueName: "n")
  )
  var columns: Int?

  @Flag(help: "Show each image without its masks as well.")
  var plain = false

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("The PNG to write.", valueName: "file"))
  var file: String

  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    guard (1...ContactSheet.maximumEntries).contains(count) else {
      throw ValidationError(
        "--count is \(count); expected 1 to \(ContactSheet.maximumEntries)")
    }
    if let columns, !(1...64).contains(columns) {
      throw ValidationError("--columns is \(columns); expected 1 to 64")
    }
  }

  func run(in console: Console) throws(ClientError) {
    let params = try filter.query(now: console.now())
    let connection = try connection.connect(in: console)
    let ids = try connection.query(params, limit: count).triplets.map(\.triplet)
    guard !ids.isEmpty else {
      throw ClientError(
        .failed, "no triplet fits these options; 'groundwell counts' shows what the store has")
    }
    let triplets = try connection.triplets(ids)
    let sheet = ContactSheet(
      title: title, subtitle: subtitle(triplets.map(\.info)), columns: columns,
      showsPlainImage: plain,
      entries: triplets.map { triplet in
        TripletTile.entry(
          triplet, captions: ["\(triplet.info.triplet): \(triplet.info.prompt)"])
      })
    try PictureFile.write(to: file) { () throws(ImagingError) in try sheet.render() }
    try console.write("\(file): \(Quantity.text(ids.count, "triplet"))\n")
  }

  private var title: String { filter.category.map { "Triplets of \($0)" } ?? "Triplets" }

  private func subtitle(_ triplets: [TripletInfo]) -> String {
    let engines = Set(triplets.map(\.provenance.engine)).sorted().joined(separator: ", ")
    let categories = Set(triplets.flatMap(\.masks).map(\.category)).count
    return Quantity.text(triplets.count, "triplet") + ", "
      + Quantity.text(categories, "category", "categories") + ", engine \(engines)"
  }
}
