import Foundation
import Synchronization

/// What happens at each ``Failpoint``: nothing, unless a test says otherwise.
///
/// Only builds with `GROUNDWELL_FAILPOINTS` have them; in others ``reach(_:)`` is empty.
public struct Failpoints: Sendable {
  /// Nothing happens anywhere.
  public static let none = Failpoints()

  #if GROUNDWELL_FAILPOINTS
    private let handler: (@Sendable (Failpoint) throws(StoreError) -> Void)?

    private init() { handler = nil }

    /// Calls `handler` at every point.
    package init(_ handler: @escaping @Sendable (Failpoint) throws(StoreError) -> Void) {
      self.handler = handler
    }

    /// The point that `GROUNDWELL_FAILPOINT` in the environment names, where this process ends itself with SIGKILL:
    /// `NAME`, or `NAME@COUNT` for the COUNTth time it is reached.
    ///
    /// - Throws: ``StoreError/Code/invalidArgument`` for a name that is none.
    public static func fromEnvironment(
      _ environment: [String: String]
    ) throws(StoreError) -> Failpoints {
      guard let text = environment["GROUNDWELL_FAILPOINT"], !text.isEmpty else { return .none }
      let parts = text.split(separator: "@", maxSplits: 1)
      guard let point = Failpoint(rawValue: String(parts[0])),
        let count = parts.count == 1 ? 1 : Int(parts[1]), count >= 1
      else {
        let names = Failpoint.allCases.map(\.rawValue).joined(separator: ", ")
        throw StoreError(
          .invalidArgument, "GROUNDWELL_FAILPOINT is '\(text)'; expected NAME@COUNT of \(names)")
      }
      let reached = Reached()
      return Failpoints { (here) throws(StoreError) in
        guard here == point, reached.next() == count else { return }
        kill(getpid(), SIGKILL)
      }
    }
  #else
    private init() {}

    /// None: this build has no failpoints.
    ///
    /// - Throws: ``StoreError/Code/invalidArgument`` when the environment asks for one.
    public static func fromEnvironment(
      _ environment: [String: String]
    ) throws(StoreError) -> Failpoints {
      guard environment["GROUNDWELL_FAILPOINT"] == nil else {
        throw StoreError(
          .invalidArgument,
          "GROUNDWELL_FAILPOINT is set, and this build has no failpoints; build with "
            + "GROUNDWELL_FAILPOINTS=1")
      }
      return .none
    }
  #endif

  /// Whether this build has them.
  public static var isCompiledIn: Bool {
    #if GROUNDWELL_FAILPOINTS
      true
    #else
      false
    #endif
  }

  /// Whether something may happen at a point.
  var isActive: Bool {
    #if GROUNDWELL_FAILPOINTS
      handler != nil
    #else
      false
    #endif
  }

  /// Marks that the process is at `point`.
  ///
  /// - Throws: what a test wants to fail here.
  @inline(__always)
  func reach(_ point: Failpoint) throws(StoreError) {
    #if GROUNDWELL_FAILPOINTS
      try handler?(point)
    #endif
  }
}

#if GROUNDWELL_FAILPOINTS
  /// How often a point was reached.
  private final class Reached: Sendable {
    private let count = Mutex(0)

    /// Counts one more.
    func next() -> Int {
      count.withLock { count in
        count += 1
        return count
      }
    }
  }
#endif
