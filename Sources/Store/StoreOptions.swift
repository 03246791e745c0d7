/// How a store is opened.
public struct StoreOptions: Sendable {
  /// What happens at the points where a test may interfere.
  public var failpoints: Failpoints

  /// The standard options.
  public init(failpoints: Failpoints = .none) { self.failpoints = failpoints }
}
