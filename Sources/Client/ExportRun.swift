import Formats
import Schema
import Wire

/// What an export has done.
struct ExportSummary: Encodable, Equatable {
  /// The folder.
  let folder: String
  /// The format.
  let format: String
  /// Triplets written.
  var triplets = 0
  /// Their masks.
  var masks = 0
  /// Categories that they show.
  let categories: Int
  /// Triplets that were removed from the store meanwhile.
  var gone = 0
  /// Triplets that were damaged or have no place in the format, and were left out.
  var broken = 0
  /// What was wrong, one sentence each, at most 100.
  var problems: [String] = []

  /// One line for a person.
  var sentence: String {
    var text =
      "\(folder): \(Quantity.text(triplets, "triplet")), \(Quantity.text(masks, "mask")), "
      + Quantity.text(categories, "category", "categories")
    if gone > 0 { text += "; \(gone) removed from the store meanwhile" }
    if broken > 0 { text += "; \(broken) left out" }
    return text + ".\n"
  }
}

/// Reads triplets one behind the other, asking ahead, and writes them.
struct ExportRun {
  private static let askedAhead = 8

  let connection: Connection
  let console: Console
  let policy: ErrorPolicy
  private var problems = ItemProblems()
  private var progress: ItemProgress

  init(connection: Connection, console: Console, policy: ErrorPolicy, total: Int) {
    self.connection = connection
    self.console = console
    self.policy = policy
    progress = ItemProgress(total: total, console: console)
  }

  /// Writes all triplets of a plan, then gives the folder its name.
  mutating func write(
    _ plan: ExportPlan, format: ExportFormat, shardTriplets: Int, into folder: PartialFolder
  ) throws(ClientError) -> ExportSummary {
    var summary = ExportSummary(
      folder: folder.path, format: format.rawValue, categories: plan.categories.count)
    var writer = try formatting { () throws(FormatError) in
      try format.writer(folder, categories: plan.categories, shardTriplets: shardTriplets)
    }
    try write(plan.ids, with: &writer, &summary)
    try formatting { () throws(FormatError) in
      try writer.finish()
      try folder.finish()
    }
    progress.end(done: summary.triplets, failed: problems.count)
    summary.broken = problems.count
    summary.problems = problems.sentences
    return summary
  }

  private mutating func formatting<T>(
    _ body: () throws(FormatError) -> T
  ) throws(ClientError) -> T {
    do throws(FormatError) {
      return try body()
    } catch {
      progress.clear()
      throw ClientError(.failed, error.message)
    }
  }

  private mutating func write(
    _ ids: [TripletID], with writer: inout any DatasetWriter, _ summary: inout ExportSummary
  ) throws(ClientError) {
    var waiting: [RequestID] = []
    for (index, id) in ids.enumerated() {
      while waiting.count < Self.askedAhead, index + waiting.count < ids.count {
        waiting.append(
          try connection.send(TripletGet.self, .init(triplet: ids[index + waiting.count])))
      }
      let answer: Connection.TripletAnswer
      do throws(WireError) {
        answer = try connection.receiveTriplet(id, waiting.removeFirst())
      } catch  where error.word == .tripletUnknown {
        summary.gone += 1
        continue
      } catch  where error.word == .tripletCorrupt {
        try problems.add(error.message, policy, &progress)
        continue
      } catch {
        progress.clear()
        throw ClientError(error)
      }
      let triplet = ExportedTriplet(
        info: answer.info, image: answer.image, masks: answer.masks)
      do throws(FormatError) {
        try writer.add(triplet)
        summary.triplets += 1
        summary.masks += triplet.masks.count
      } catch  where error.code == .badItem {
        try problems.add("triplet \(id): \(error.message)", policy, &progress)
      } catch {
        progress.clear()
        throw ClientError(.failed, error.message)
      }
      progress.show(done: summary.triplets, failed: problems.count)
    }
  }
}
