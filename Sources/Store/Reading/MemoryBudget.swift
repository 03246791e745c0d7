import Synchronization

/// Bytes of memory that many may use together.
final class MemoryBudget: Sendable {
  private let limit: Int
  private let used = Atomic<Int>(0)

  /// A budget of which nothing is used.
  init(bytes: Int) { limit = bytes }

  /// Bytes that are in use.
  var bytes: Int { used.load(ordering: .relaxed) }

  /// Takes bytes; false when there are not so many left.
  func reserve(_ count: Int) -> Bool {
    guard used.wrappingAdd(count, ordering: .relaxed).newValue <= limit else {
      release(count)
      return false
    }
    return true
  }

  /// Gives bytes back.
  func release(_ count: Int) { used.wrappingSubtract(count, ordering: .relaxed) }
}
