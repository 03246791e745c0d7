import ArgumentParser
import Foundation
import Imaging
import Schema

extension CountsReport.Order: ExpressibleByArgument {}

/// `groundwell counts`.
struct CountsCommand: ClientCommand {
  /// Bytes of the largest file that `--compare` reads.
  private static let maximumCompareBytes = 16 << 20

  static let configuration = CommandConfiguration(
    commandName: "counts",
    abstract: "Show what the store has of each category, and what is missing.",
    usage: "groundwell counts [<categories> ...] [<options>]",
    discussion: """
      'groundwell counts --json > before.json' keeps a state that --compare shows later.
      """)

  @Argument(help: "Only these categories; one argument may hold several, split by commas.")
  var categories: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Count as missing what lacks to this many triplets.", valueName: "n"))
  var minimum: Int?

  @Option(help: "Order of the rows: stock puts the fewest first, shortfall the most missing.")
  var sort: CountsReport.Order = .name

  @Option(
    help: ArgumentHelp("Show the change since these counts, kept with --json.", valueName: "file"))
  var compare: String?

  @Option(
    help: ArgumentHelp("Draw the bars into a PNG as well.", valueName: "file"))
  var plot: String?

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    let range = 0...Limits.standard.maximumTarget
    if let minimum, !range.contains(minimum) {
      throw ValidationError("--minimum is \(minimum); expected 0 to \(range.upperBound)")
    }
  }

  func run(in console: Console) throws(ClientError) {
    let names = try CategoryList.names(categories)
    let before = try compare.map { (path) throws(ClientError) in try Self.read(path) }
    let counts = try connection.connect(in: console).callAboutCategories(
      Counts.self, Counts.Params(categories: names.isEmpty ? nil : names, minimum: minimum),
      categories: names)
    let comparison = before.map { earlier in
      CountsComparison(before: Self.only(names, of: earlier), now: counts, order: sort)
    }
    if let plot {
      let chart = comparison.map(CountsPlot.chart) ?? CountsPlot.chart(counts, order: sort)
      try PictureFile.write(to: plot) { () throws(ImagingError) in try chart.render() }
    }
    try console.write(text(counts, comparison, console))
  }

  private func text(
    _ counts: Counts.Result, _ comparison: CountsComparison?, _ console: Console
  ) throws(ClientError) -> String {
    if output.json { return try OutputOptions.line(counts) }
    if let comparison {
      return comparison.rendered(columns: console.columns, style: console.style)
    }
    return CountsReport(counts, order: sort)
      .rendered(columns: console.columns, style: console.style)
  }

  private static func only(_ names: [CategoryName], of counts: Counts.Result) -> Counts.Result {
    guard !names.isEmpty else { return counts }
    var kept = counts
    kept.categories.removeAll { !names.contains($0.category) }
    return kept
  }

  private static func read(_ path: String) throws(ClientError) -> Counts.Result {
    do {
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      let data = try file.read(upToCount: maximumCompareBytes + 1) ?? Data()
      guard data.count <= maximumCompareBytes else {
        throw ClientError(.failed, "\(path): more than \(maximumCompareBytes) bytes")
      }
      return try JSONText.decode(Counts.Result.self, from: Array(data))
    } catch let error as ClientError {
      throw error
    } catch let error as SchemaError {
      throw ClientError(
        .failed,
        "\(path): \(error.message); expected the output of 'groundwell counts --json'")
    } catch {
      throw ClientError(.failed, "\(path): cannot be read: \(error.localizedDescription)")
    }
  }
}
