import GRDB
import Schema

/// What one transaction has changed, so that memory can follow once it has committed.
struct CommitContext {
  /// A triplet that was added.
  struct Added {
    let triplet: TripletID
    let categories: [(row: Int64, name: CategoryName, instances: Int)]
  }

  /// The last sequence number that was given out.
  var sequence: Int64
  /// Bytes of the records of triplets added.
  var addedBytes = 0
  /// Triplets added, in order.
  var added: [Added] = []
  /// Triplets set aside, with the number of each one's removal.
  var quarantined:
    [(triplet: TripletID, sequence: Int64, categories: [(row: Int64, instances: Int)])] = []
  /// Jobs that may have changed.
  var jobs: Set<Int64> = []
  /// Categories whose target may have changed or that are new.
  var categories: Set<Int64> = []
  /// Leases whose time ran out.
  var expiredLeases = 0
  /// Whether nothing that anybody waits for has changed.
  var isEmpty: Bool {
    added.isEmpty && quarantined.isEmpty && jobs.isEmpty && categories.isEmpty
  }
  /// The time that everything in the transaction carries.
  let now: Int64
}
