public import ArgumentParser
import Foundation
public import Schema

extension LabelSource: ExpressibleByArgument {}
extension JobState: ExpressibleByArgument {}

/// Which triplets a command is about; every condition given must hold.
struct FilterOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Only triplets that show this category.", valueName: "name"))
  var category: String?

  @Option(
    help: ArgumentHelp("Only triplets made by this engine, such as scenes.", valueName: "name"))
  var engine: String?

  @Option(help: "Only triplets with a mask from this source.")
  var source: LabelSource?

  @Option(
    help: ArgumentHelp(
      "Only triplets stored then or later: 2026-01-31, 2026-01-31T12:00Z, or 2h, 7d ago.",
      valueName: "time"))
  var since: TimePoint?

  @Option(help: ArgumentHelp("Only triplets stored before then.", valueName: "time"))
  var until: TimePoint?

  @Flag(help: "Begin with the newest triplet instead of the oldest.")
  var newest = false

  /// The query that this describes, without a limit.
  func query(now: Date) throws(ClientError) -> TripletQuery.Params {
    var name: CategoryName?
    if let category { name = try CategoryList.name(category) }
    return TripletQuery.Params(
      category: name, engine: engine, source: source,
      sinceMicroseconds: since?.microseconds(now: now),
      untilMicroseconds: until?.microseconds(now: now), descending: newest ? true : nil)
  }
}
