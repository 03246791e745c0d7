import ArgumentParser
import Schema

/// `groundwell delete`.
struct DeleteCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Delete triplets.",
    discussion: """
      They cannot be brought back. Streams that are open keep seeing what they saw; the space is \
      given back by 'groundwell compact', or by the daemon itself when enough is dead.
      """)

  @Argument(
    help: ArgumentHelp(
      "Triplets, such as 17 or 20-30, as 'groundwell query' lists them.", valueName: "triplet"))
  var triplets: [TripletRange]

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let daemon = try connection.connect(in: console)
    var answer = TripletDelete.Result(deleted: 0, missing: [], snapshot: 0)
    for page in TripletRange.pages(triplets) {
      let part = try daemon.call(TripletDelete.self, TripletDelete.Params(triplets: page))
      answer.deleted += part.deleted
      answer.missing += part.missing
      answer.snapshot = part.snapshot
    }
    guard !output.json else { return try console.write(OutputOptions.line(answer)) }
    try console.write(DeleteReport.rendered(answer, missing: "not there"))
  }
}
