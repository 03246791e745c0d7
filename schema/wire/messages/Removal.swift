/// Deletes triplets; answered when that is durable.
///
/// All of one call go at one change-sequence number: a snapshot before it still has them, as long as
/// somebody holds it, and one at it or later does not. Their bytes go when the store is compacted.
/// A triplet that was set aside can be deleted as well. One that was deleted before is not deleted
/// again, so a request may be sent again.
public enum TripletDelete: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The triplets, at most `maximum_query_rows`.
    public var triplets: [TripletID]

    /// Creates parameters.
    public init(triplets: [TripletID]) { self.triplets = triplets }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// How many this call deleted.
    public var deleted: Int
    /// Those that the store does not have, or no longer.
    public var missing: [TripletID]
    /// The first snapshot without them.
    public var snapshot: Int64

    /// Creates an answer.
    public init(deleted: Int, missing: [TripletID], snapshot: Int64) {
      self.deleted = deleted
      self.missing = missing
      self.snapshot = snapshot
    }
  }

  /// The name on the wire.
  public static let name = "triplet.delete"
  /// A filled-in request.
  public static let exampleParams = Params(triplets: [17, 18, 4711])
  /// A filled-in answer.
  public static let exampleResult = Result(deleted: 2, missing: [4711], snapshot: 1043)
}
