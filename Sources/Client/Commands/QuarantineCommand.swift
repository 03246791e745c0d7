import ArgumentParser
import Schema

/// `groundwell quarantine`: triplets that were set aside.
struct QuarantineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quarantine",
    abstract: "List, take back or delete triplets that were set aside as damaged.",
    subcommands: [
      QuarantineListCommand.self, QuarantineReleaseCommand.self, QuarantineDeleteCommand.self,
    ])
}

/// `groundwell quarantine list`.
struct QuarantineListCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List what was set aside, and why.")

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let entries = try connection.connect(in: console).quarantined()
    guard !output.json else {
      let answer = QuarantineList.Result(triplets: entries, next: nil)
      return try console.write(OutputOptions.line(answer))
    }
    try console.write(
      QuarantineReport.rendered(
        entries, now: console.now(), columns: console.columns, style: console.style))
  }
}

/// The triplets that a command is about.
struct QuarantineSelection: ParsableArguments {
  @Argument(
    help: ArgumentHelp("Triplets, such as 17 or 20-30.", valueName: "triplet"))
  var triplets: [TripletRange] = []

  @Flag(help: "All that are set aside.")
  var all = false

  func validate() throws {
    guard triplets.isEmpty == all else {
      throw ValidationError("name triplets, or --all of them")
    }
  }

  /// The triplets, in pages as one request takes them.
  func pages(_ daemon: Connection) throws(ClientError) -> [[TripletID]] {
    guard all else { return TripletRange.pages(triplets) }
    let ids = try daemon.quarantined().map(\.triplet)
    let size = Limits.standard.maximumQueryRows
    return stride(from: 0, to: ids.count, by: size).map { start in
      Array(ids[start..<min(start + size, ids.count)])
    }
  }
}

/// `groundwell quarantine release`.
struct QuarantineReleaseCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "release",
    abstract: "Take triplets back that are whole again; ends with 1 when some are not.",
    discussion: """
      Such as after a pack was restored from a backup. Every byte is verified; each triplet that \
      is whole comes back under a new id.
      """)

  @OptionGroup var selection: QuarantineSelection
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let daemon = try connection.connect(in: console)
    var answer = QuarantineRelease.Result()
    for page in try selection.pages(daemon) {
      let part = try daemon.callLong(
        QuarantineRelease.self, QuarantineRelease.Params(triplets: page), "releasing", console)
      answer.released += part.released
      answer.damaged += part.damaged
      answer.missing += part.missing
    }
    try console.write(
      output.json
        ? OutputOptions.line(answer)
        : QuarantineReport.rendered(answer, style: console.style))
    guard answer.damaged.isEmpty else {
      throw ClientError(
        .failed,
        "still damaged and set aside: \(Quantity.text(answer.damaged.count, "triplet"))")
    }
  }
}

/// `groundwell quarantine delete`.
struct QuarantineDeleteCommand: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Delete triplets that were set aside, for good.")

  @OptionGroup var selection: QuarantineSelection
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run(in console: Console) throws(ClientError) {
    let daemon = try connection.connect(in: console)
    let aside = Set(try daemon.quarantined().map(\.triplet))
    var answer = TripletDelete.Result(deleted: 0, missing: [], snapshot: 0)
    for page in try selection.pages(daemon) {
      answer.missing += page.filter { !aside.contains($0) }
      let wanted = page.filter(aside.contains)
      guard !wanted.isEmpty else { continue }
      let part = try daemon.call(TripletDelete.self, TripletDelete.Params(triplets: wanted))
      answer.deleted += part.deleted
      answer.missing += part.missing
      answer.snapshot = part.snapshot
    }
    guard !output.json else { return try console.write(OutputOptions.line(answer)) }
    try console.write(DeleteReport.rendered(answer, missing: "not set aside"))
  }
}

extension Connection {
  /// All triplets that are set aside.
  func quarantined() throws(ClientError) -> [QuarantineList.Entry] {
    var entries: [QuarantineList.Entry] = []
    var after: TripletID?
    repeat {
      let page = try call(
        QuarantineList.self,
        QuarantineList.Params(after: after, limit: Limits.standard.maximumQueryRows))
      entries += page.triplets
      after = page.triplets.isEmpty ? nil : page.next
    } while after != nil
    return entries
  }
}
