import Synchronization

/// Bytes of memory that many may use together.
final class MemoryBudget: Sendable {
  private let maximum: Atomic<Int>
  private let used = Atomic<Int>(0)

  /// A budget of which nothing is used.
  init(bytes: Int) { maximum = Atomic(bytes) }

  /// Bytes that may be used; less than are in use only keeps more from being taken.
  var limit: Int {
    get { maximum.load(ordering: .relaxed) }
    set { maximum.store(newValue, ordering: .relaxed) }
  }

  /// Bytes that are in use.
  var bytes: Int { used.load(ordering: .relaxed) }

  /// Whether `count` more are within the limit.
  func hasRoom(for count: Int) -> Bool { bytes + count <= limit }

  /// Takes bytes; false when there are not so many left.
  func reserve(_ count: Int) -> Bool {
    // Threads may come at the same time: who goes over the limit steps back.
    guard used.wrappingAdd(count, ordering: .relaxed).newValue <= limit else {
      release(count)
      return false
    }
    return true
  }

  /// Gives bytes back.
  func release(_ count: Int) { used.wrappingSubtract(count, ordering: .relaxed) }
}
