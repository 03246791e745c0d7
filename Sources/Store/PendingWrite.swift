import GRDB
import Schema
import Synchronization

/// One change that waits for the next commit.
struct PendingWrite: Sendable {
  /// Where the records lie that a change brought, and the identity of its triplet; 0 for copies.
  typealias Written = (id: TripletID, places: [BlobPlace])

  /// The triplet whose blobs the change brings, if any.
  let triplet: EncodedTriplet?
  /// Whole records to be written once more, if any.
  let copies: [RecordCopy]
  /// Says, before anything is written, whether the blobs are wanted at all.
  let isWanted: @Sendable (Database) throws -> Bool
  /// Makes the change; the identity and the places are nil when no blobs were written.
  let apply: @Sendable (Database, Written?, inout CommitContext) throws -> Void
  /// Called when the change is durable, or with what kept it from being made.
  let finish: @Sendable (StoreError?) -> Void
}

/// The changes that wait for the next commit, and whether it is on its way.
final class PendingWrites: Sendable {
  private struct State {
    var writes: [PendingWrite] = []
    var isScheduled = false
    /// Whether the scheduled commit waits a moment for more.
    var isGathering = false
  }

  private let state = Mutex(State())

  /// How many there are.
  var count: Int { state.withLock(\.writes.count) }
  /// Whether the next commit waits a moment for more.
  var isGathering: Bool { state.withLock(\.isGathering) }

  /// Adds some; `waits` says whether more are about to come.
  ///
  /// - Returns: whether the caller is to schedule a commit.
  func add(_ writes: [PendingWrite], waits: Bool) -> Bool {
    state.withLock { state in
      state.writes += writes
      guard !state.isScheduled || (state.isGathering && !waits) else { return false }
      (state.isScheduled, state.isGathering) = (true, waits)
      return true
    }
  }

  /// Takes all of them for a commit.
  func take() -> [PendingWrite] {
    state.withLock { state in
      defer { state = State() }
      return state.writes
    }
  }
}

/// A record as it lies in a pack, on its way to another.
struct RecordCopy: Sendable {
  /// Whose it is.
  let triplet: TripletID
  /// Where it lies now.
  let place: BlobPlace
  /// All of it, up to where the next one may start.
  let bytes: [UInt8]
}

/// What a commit has changed, for those who wait for it.
public struct StoreChange: Sendable {
  /// Jobs that changed.
  public let jobs: Set<Int64>
  /// Triplets that were added.
  public let addedTriplets: Int
  /// Triplets that were set aside because their bytes broke.
  public let quarantinedTriplets: Int
  /// Triplets that were deleted.
  public let deletedTriplets: Int
  /// Leases whose time ran out.
  public let expiredLeases: Int
}
