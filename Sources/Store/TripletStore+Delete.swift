import GRDB
public import Schema

extension TripletStore {
  /// Deletes triplets, all at one change-sequence number; returns when that is durable.
  ///
  /// Snapshots before it keep them, as long as somebody holds one; ``compact(deadPercent:isGentle:progress:)``
  /// gives their bytes back.
  ///
  /// - Throws: ``StoreError/Code/unwritable``.
  public func delete(_ ids: [TripletID]) async throws(StoreError) -> TripletDelete.Result {
    try options.failpoints.reach(.deleteBefore)
    let result = try await write { db, _, context in
      let sequence = context.sequence + 1
      guard sequence < CategoryList.maximumID else {
        throw StoreError(
          .unwritable, "the store has used up its \(CategoryList.maximumID) change numbers")
      }
      var missing: [TripletID] = []
      var deleted = 0
      for id in ids {
        if try deleteTriplet(db, id, at: sequence, &context) {
          deleted += 1
        } else {
          missing.append(id)
        }
      }
      if deleted > 0 { context.sequence = sequence }
      return TripletDelete.Result(
        deleted: deleted, missing: missing, snapshot: context.sequence)
    }
    try options.failpoints.reach(.deleteAfter)
    return result
  }
}
