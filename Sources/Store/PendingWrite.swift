import GRDB
import Schema

/// One change that waits for the next commit.
struct PendingWrite: Sendable {
  /// The triplet whose blobs the change brings, if any.
  let triplet: EncodedTriplet?
  /// Says, before anything is written, whether the blobs are wanted at all.
  let isWanted: @Sendable (Database) throws -> Bool
  /// Makes the change; the identity and the places are nil when no blobs were written.
  let apply:
    @Sendable (Database, (id: TripletID, places: [BlobPlace])?, inout CommitContext) throws -> Void
  /// Called when the change is durable, or with what kept it from being made.
  let finish: @Sendable (StoreError?) -> Void
}

/// What a commit has changed, for those who wait for it.
public struct StoreChange: Sendable {
  /// Jobs that changed.
  public let jobs: Set<Int64>
  /// Triplets that were added.
  public let addedTriplets: Int
  /// Triplets that were set aside because their bytes broke.
  public let quarantinedTriplets: Int
  /// Leases whose time ran out.
  public let expiredLeases: Int
}
