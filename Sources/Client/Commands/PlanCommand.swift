import ArgumentParser
import Imaging
import Schema

/// `groundwell plan`.
struct PlanCommand: ClientCommand {
  /// Batches that one plan looks at.
  private static let maximumBatches = 100_000

  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Show what a stream will draw of each category, without drawing it.",
    usage: "groundwell plan [<categories> ...] [<options>]",
    discussion: """
      Works out the first batches of the stream that these options open: how often each category \
      and each of its triplets comes. Nothing is generated and no picture is read.
      """)

  @OptionGroup var stream: StreamOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Batches to look at.", valueName: "n"))
  var batches = 100

  @Option(help: ArgumentHelp("Draw the bars into a PNG as well.", valueName: "file"))
  var plot: String?

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    guard (1...Self.maximumBatches).contains(batches) else {
      throw ValidationError("--batches is \(batches); expected 1 to \(Self.maximumBatches)")
    }
  }

  func run(in console: Console) throws(ClientError) {
    var params = try stream.params()
    // A plan must not start to generate anything.
    params.onThin = .repeat
    params.imageSize = Limits.standard.minimumImageSide
    let open = try connection.connect(in: console).callAboutCategories(
      StreamOpen.self, params, categories: params.categories ?? [])
    let forecast = try forecast(open)
    if let plot {
      let chart = forecast.chart
      try PictureFile.write(to: plot) { () throws(ImagingError) in try chart.render() }
    }
    try console.write(
      try output.json
        ? OutputOptions.line(forecast)
        : forecast.rendered(columns: console.columns, style: console.style))
  }

  private func forecast(_ open: StreamOpen.Result) throws(ClientError) -> PlanForecast {
    let selection = try stream.selection(open.categories.map(\.category))
    do throws(SchemaError) {
      let plan = try BatchPlan(
        batchSize: stream.batchSize,
        categories: open.categories.map { ($0.category, $0.stock) }, selection: selection,
        seed: stream.seed, rank: stream.rank, world: stream.world)
      return PlanForecast(
        plan, batches: batches, snapshot: open.token.snapshot, fingerprint: open.plan)
    } catch {
      throw ClientError(.unreachable, "the daemon's plan cannot be repeated: \(error.message)")
    }
  }
}
