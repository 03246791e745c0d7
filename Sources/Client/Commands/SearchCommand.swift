import ArgumentParser
import Schema

/// `groundwell search`.
struct SearchCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "Find triplets by words of their prompts, newest first.",
    discussion: """
      All words must be there, in any order. "cat on grass" in quotes of its own means these words \
      side by side, photo* any word that begins so, -dog none of these. Case and accents do not \
      count. Put '--' before words that begin with a hyphen.
      """)

  @Argument(help: ArgumentHelp("Words to look for.", valueName: "word"))
  var words: [String]

  @Option(help: ArgumentHelp("Only those that show this category.", valueName: "category"))
  var category: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("At most this many.", valueName: "n"))
  var limit = 100

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    guard limit >= 1 else { throw ValidationError("--limit is \(limit); expected 1 or more") }
  }

  func run(in console: Console) throws(ClientError) {
    var name: CategoryName?
    do throws(SchemaError) {
      name = try category.map { (text) throws(SchemaError) in try CategoryName(text) }
    } catch {
      throw ClientError(.usage, error.message)
    }
    let params = TripletSearch.Params(text: words.joined(separator: " "), category: name)
    let found = try connection.connect(in: console).search(params, limit: limit)
    guard !output.json else { return try console.write(OutputOptions.line(found)) }
    try console.write(
      TripletReport.rendered(
        found.triplets, now: console.now(), columns: console.columns, style: console.style))
    if found.next != nil {
      console.note(
        "groundwell: only the newest \(found.triplets.count) are shown; --limit takes more\n")
    }
  }
}

extension Connection {
  /// Searches, page by page.
  func search(
    _ params: TripletSearch.Params, limit: Int
  ) throws(ClientError) -> TripletSearch.Result {
    let found = try Self.pages(upTo: limit) { (rows, after) throws(ClientError) in
      var params = params
      (params.limit, params.after) = (rows, after ?? params.after)
      let page = try callAboutCategories(
        TripletSearch.self, params, categories: params.category.map { [$0] } ?? [])
      return (page.triplets, page.next)
    }
    return TripletSearch.Result(triplets: found.triplets, next: found.next)
  }
}
