/// What to do with a category that has fewer triplets than the stream's minimum.
public enum OnThin: String, Codable, Sendable, CaseIterable {
  /// Start a backfill and open when it is done.
  case wait
  /// Draw the few again and again.
  case `repeat`
  /// Refuse to open.
  case fail
}

/// The five values that continue a stream anywhere.
public struct ResumeToken: Codable, Sendable, Equatable {
  /// The UUID of the store.
  public var store: String
  /// The snapshot that the stream sees.
  public var snapshot: Int64
  /// The policy.
  public var policy: SelectionPolicy
  /// The seed.
  public var seed: Int64
  /// The next batch.
  public var k: Int
  /// Where categories of a stream that follows took newer triplets in: for each, pairs of the draw
  /// from which on, and the triplets from there on; absent for other streams.
  public var edges: [String: [[Int]]]?

  /// Creates a token.
  public init(
    store: String, snapshot: Int64, policy: SelectionPolicy, seed: Int64, k: Int,
    edges: [String: [[Int]]]? = nil
  ) {
    self.store = store
    self.snapshot = snapshot
    self.policy = policy
    self.seed = seed
    self.k = k
    self.edges = edges
  }

  static func example(k: Int) -> ResumeToken {
    ResumeToken(
      store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", snapshot: 1042, policy: .balanced, seed: 7,
      k: k, edges: ["cat": [[100, 120]]])
  }
}

/// Closes a stream.
public enum StreamClose: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The stream.
    public var stream: Int

    /// Creates parameters.
    public init(stream: Int) { self.stream = stream }
  }

  /// Answers nothing.
  public typealias Result = Empty
  /// The name on the wire.
  public static let name = "stream.close"
  /// A filled-in request.
  public static let exampleParams = Params(stream: 1)
  /// A filled-in answer.
  public static let exampleResult = Empty()
}
