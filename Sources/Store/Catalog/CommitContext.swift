import GRDB
import Schema

/// What one transaction has changed, so that memory can follow once it has committed.
struct CommitContext {
  /// What a commit does about the full text of prompts.
  enum PromptIndexing {
    /// Adds those that wait once there are many.
    case whenMany
    /// Adds those that wait.
    case now
    /// Makes all of it anew.
    case rebuild
  }

  /// A triplet that was added.
  struct Added {
    let triplet: TripletID
    let categories: [(row: Int64, name: CategoryName, instances: Int)]
  }

  /// A triplet that new snapshots no longer show.
  struct Removed {
    let triplet: TripletID
    /// The number of its removal.
    let sequence: Int64
    /// What it took out of the counts: nothing when it had been set aside before.
    let categories: [(row: Int64, instances: Int)]
    /// Whether it had been set aside before.
    var wasSetAside = false
  }

  /// An item of a source that triplets were imported from.
  struct ImportKey: Hashable {
    let source: String
    let item: String
  }

  /// The rows of categories; those that the transaction makes are added.
  var categoryRows: [CategoryName: Int64]
  /// What has become of the items that the transaction imports.
  var imported: [ImportKey: TripletID] = [:]
  /// The last sequence number that was given out.
  var sequence: Int64
  /// By how much the live bytes of packs have changed.
  var liveBytes: [Int: Int] = [:]
  /// Triplets added, in order.
  var added: [Added] = []
  /// Triplets set aside.
  var quarantined: [Removed] = []
  /// Triplets deleted.
  var deleted: [Removed] = []
  /// Deleted triplets whose rows are gone.
  var forgotten: [TripletID] = []
  /// Triplets whose records lie elsewhere now.
  var moved: [TripletID] = []
  /// Packs that no row refers to any more.
  var retiredPacks: [Int] = []
  /// Jobs that may have changed.
  var jobs: Set<Int64> = []
  /// Categories whose target may have changed or that are new.
  var categories: Set<Int64> = []
  /// Leases whose time ran out.
  var expiredLeases = 0
  /// What is to become of the full text of the prompts.
  var promptIndexing = PromptIndexing.whenMany
  /// Whether nothing that anybody waits for has changed.
  var isEmpty: Bool {
    added.isEmpty && quarantined.isEmpty && deleted.isEmpty && jobs.isEmpty && categories.isEmpty
  }
  /// The time that everything in the transaction carries.
  let now: Int64

  /// Counts bytes of records that a row begins or ceases to refer to.
  mutating func countLive(_ place: BlobPlace, isGone: Bool = false) {
    liveBytes[place.pack, default: 0] += isGone ? -place.recordBytes : place.recordBytes
  }
}
