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
    var params = params
    var found = TripletQuery.Result(triplets: [], next: nil)
    repeat {
      params.limit = min(limit - found.triplets.count, Limits.standard.maximumQueryRows)
      let page = try callAboutCategories(
        TripletQuery.self, params, categories: params.category.map { [$0] } ?? [])
      found.triplets += page.triplets
      found.next = page.triplets.isEmpty ? nil : page.next
      params.after = found.next
    } while found.next != nil && found.triplets.count < limit
    return found
  }
}
