package import Schema
import Synchronization

/// What the store answers from memory: counts, lists and jobs, true to the last commit.
///
/// Written by the store's queue behind each commit, read from anywhere without waiting for one.
package final class StoreIndex: Sendable {
  /// One category.
  package struct Entry: Sendable {
    package let name: CategoryName
    var target: Int
    var instances: Int
    /// Its triplets.
    package var list: CategoryList

    /// An entry without a target.
    package init(name: CategoryName, target: Int = 0, instances: Int = 0, list: CategoryList) {
      self.name = name
      self.target = target
      self.instances = instances
      self.list = list
    }
  }

  /// All of it, changed as one.
  package struct State: Sendable {
    var snapshot: Int64 = 0
    /// The last sequence number at which a triplet was deleted or set aside.
    var lastRemoval: Int64 = 0
    var tripletCount = 0
    var quarantinedCount = 0
    /// Deleted triplets whose rows are still there.
    var deletedCount = 0
    /// Where each pack ends.
    var packEnds: [Int: Int] = [:]
    /// Bytes of each pack that rows refer to.
    var liveBytes: [Int: Int] = [:]
    var rows: [CategoryName: Int64] = [:]
    /// The categories by their row in the catalog.
    package var entries: [Int64: Entry] = [:]
    /// Jobs that are not finished.
    var jobs: [Int64: JobInfo] = [:]

    /// Of an empty store.
    package init() {}
  }

  private let state: Mutex<State>
  private let changes = Atomic<Int>(0)

  /// An index with these contents.
  package init(_ state: State) { self.state = Mutex(state) }

  /// Looks at everything at one moment.
  package func read<T>(_ body: (borrowing State) throws -> sending T) rethrows -> sending T {
    try state.withLock { state in try body(state) }
  }

  /// Changes everything at one moment.
  package func update(_ body: (inout State) -> Void) {
    state.withLock { body(&$0) }
    changes.wrappingAdd(1, ordering: .releasing)
  }

  /// Rises behind every change: what was read at one value is not older than it.
  var generation: Int { changes.load(ordering: .acquiring) }
}
