import ArgumentParser
package import Formats
import Foundation
import Schema
import Wire

extension ExportFormat: ExpressibleByArgument {}

/// `groundwell export`.
struct ExportCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write triplets as a data set that other tools read.",
    usage: "groundwell export <format> <folder> [<options>]",
    discussion: """
      Formats: folder (PNG images and masks, comes back with 'groundwell import'), coco, voc, \
      yolo, webdataset. The folder appears when it is complete; until then it is \
      <folder>.partial. Parquet: python -m groundwell.exporters. docs/import-export.md describes \
      the formats.
      """)

  @Argument(help: "What to write: folder, coco, voc, yolo or webdataset.")
  var format: ExportFormat

  @Argument(help: ArgumentHelp("The folder to make; it must not be there.", valueName: "folder"))
  var folder: String

  @OptionGroup var filter: FilterOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("At most this many triplets (default: all).", valueName: "n"))
  var limit: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("webdataset: triplets of one shard.", valueName: "n"))
  var shardTriplets = 1000

  @Option(
    help: """
      What a triplet does that cannot be written, or that is damaged: stop ends the export, skip \
      leaves it out.
      """)
  var onError = ErrorPolicy.stop

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit); expected 1 or more") }
    guard (1...1_000_000).contains(shardTriplets) else {
      throw ValidationError("--shard-triplets is \(shardTriplets); expected 1 to 1000000")
    }
  }

  func run(in console: Console) throws(ClientError) {
    let params = try filter.query(now: console.now())
    let connection = try connection.connect(in: console)
    let plan = try ExportPlan(connection, params, limit: limit ?? .max)
    guard !plan.ids.isEmpty else {
      throw ClientError(
        .failed, "no triplet fits these options; 'groundwell counts' shows what the store has")
    }
    let folder: PartialFolder
    do throws(FormatError) {
      folder = try PartialFolder(self.folder)
    } catch {
      throw ClientError(.failed, error.message)
    }
    do throws(ClientError) {
      var run = ExportRun(
        connection: connection, console: console, policy: onError, total: plan.ids.count)
      let summary = try run.write(
        plan, format: format, shardTriplets: shardTriplets, into: folder)
      try console.write(output.json ? OutputOptions.line(summary) : summary.sentence)
      guard summary.broken == 0 else {
        throw ClientError(.failed, "\(Quantity.text(summary.broken, "triplet")) left out")
      }
    } catch {
      folder.discard()
      throw error
    }
  }
}

/// Which triplets are exported, and which categories they show.
struct ExportPlan {
  /// The triplets.
  private(set) var ids: [TripletID] = []
  /// The categories, sorted.
  private(set) var categories: [CategoryName] = []

  /// Asks the daemon, page by page.
  init(
    _ connection: Connection, _ params: TripletQuery.Params, limit: Int
  ) throws(ClientError) {
    var params = params
    var seen = Set<CategoryName>()
    repeat {
      params.limit = min(limit - ids.count, Limits.standard.maximumQueryRows)
      let page = try connection.callAboutCategories(
        TripletQuery.self, params, categories: params.category.map { [$0] } ?? [])
      for info in page.triplets { seen.formUnion(info.masks.map(\.category)) }
      ids += page.triplets.map(\.triplet)
      params.after = page.triplets.isEmpty ? nil : page.next
    } while params.after != nil && ids.count < limit
    categories = seen.sorted()
  }
}
