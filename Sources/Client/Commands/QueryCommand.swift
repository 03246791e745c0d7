import ArgumentParser
import Schema

/// `groundwell query`.
struct QueryCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "query", abstract: "List triplets by category, engine, label source and time.",
    usage: "groundwell query [<options>]")

  @OptionGroup var filter: FilterOptions

  @Option(parsing: .unconditional, help: ArgumentHelp("At most this many.", valueName: "n"))
  var limit = 100

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    guard limit >= 1 else { throw ValidationError("--limit is \(limit); expected 1 or more") }
  }

  func run(in console: Console) throws(ClientError) {
    let params = try filter.query(now: console.now())
    let found = try connection.connect(in: console).query(params, limit: limit)
    guard !output.json else { return try console.write(OutputOptions.line(found)) }
    try console.write(
      TripletReport.rendered(
        found.triplets, now: console.now(), columns: console.columns, style: console.style))
    if found.next != nil {
      console.note(
        "groundwell: only the first \(found.triplets.count) are shown; --limit takes more\n")
    }
  }
}

extension Connection {
  /// Asks for triplets, page by page.
  func query(
    _ params: TripletQuery.Params, limit: Int
  ) throws(ClientError) -> TripletQuery.Result {
    let found = try Self.pages(upTo: limit) { (rows, after) throws(ClientError) in
      var params = params
      (params.limit, params.after) = (rows, after ?? params.after)
      let page = try callAboutCategories(
        TripletQuery.self, params, categories: params.category.map { [$0] } ?? [])
      return (page.triplets, page.next)
    }
    return TripletQuery.Result(triplets: found.triplets, next: found.next)
  }

  /// Asks page by page until there are `limit` triplets or no more.
  ///
  /// - Parameter page: at most so many rows behind the last id of the page before.
  static func pages(
    upTo limit: Int,
    _ page: (_ rows: Int, _ after: TripletID?) throws(ClientError) -> (
      triplets: [TripletInfo], next: TripletID?
    )
  ) throws(ClientError) -> (triplets: [TripletInfo], next: TripletID?) {
    var (triplets, next): ([TripletInfo], TripletID?) = ([], nil)
    repeat {
      let found = try page(min(limit - triplets.count, Limits.standard.maximumQueryRows), next)
      triplets += found.triplets
      // A daemon that answers nothing would be asked for ever.
      next = found.triplets.isEmpty ? nil : found.next
    } while next != nil && triplets.count < limit
    return (triplets, next)
  }
}
