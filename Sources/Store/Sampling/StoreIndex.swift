import Schema
import Synchronization

/// What the store answers from memory: counts, lists and jobs, true to the last commit.
///
/// Written by the store's queue behind each commit, read from anywhere without waiting for one.
final class StoreIndex: Sendable {
  /// One category.
  struct Entry: Sendable {
    let name: CategoryName
    var target: Int
    var instances: Int
    var list: CategoryList
  }

  /// All of it, changed as one.
  struct State: Sendable {
    var snapshot: Int64 = 0
    /// The last sequence number at which a triplet was deleted or set aside.
    var lastRemoval: Int64 = 0
    var tripletCount = 0
    var quarantinedCount = 0
    /// Where each pack ends.
    var packEnds: [Int: Int] = [:]
    var rows: [CategoryName: Int64] = [:]
    var entries: [Int64: Entry] = [:]
    /// Jobs that are not finished.
    var jobs: [Int64: JobInfo] = [:]
  }

  private let state: Mutex<State>

  /// An index with these contents.
  init(_ state: State) { self.state = Mutex(state) }

  /// Looks at everything at one moment.
  func read<T>(_ body: (borrowing State) throws -> sending T) rethrows -> sending T {
    try state.withLock { state in try body(state) }
  }

  /// Changes everything at one moment.
  func update(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
}
