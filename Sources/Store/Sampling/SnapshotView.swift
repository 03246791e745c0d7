public import Schema

/// What a stream sees: the lists of its categories as they are at one snapshot.
public struct SnapshotView: Sendable {
  /// One category.
  public struct Category: Sendable {
    /// Its name.
    public let name: CategoryName
    /// Triplets that can be drawn.
    public let count: Int
    private let list: CategoryList
    fileprivate let reader: CategoryReader

    /// The first `count` entries of a list.
    package init(name: CategoryName, count: Int, list: CategoryList) {
      precondition(count <= list.count, "\(count) of \(list.count) triplets of '\(name)'")
      self.name = name
      self.count = count
      self.list = list
      reader = CategoryReader(list)
    }
  }

  /// The change-sequence number.
  public let snapshot: Int64
  /// The categories in the order asked for.
  public internal(set) var categories: [Category] {
    didSet { (counts, readers) = (categories.map(\.count), categories.map(\.reader)) }
  }
  private var counts: [Int]
  private var readers: [CategoryReader]

  /// A view of these lists.
  package init(snapshot: Int64, categories: [Category]) {
    self.snapshot = snapshot
    self.categories = categories
    counts = categories.map(\.count)
    readers = categories.map(\.reader)
  }

  /// The triplet at a place of a category's list, in constant time and without a lock.
  ///
  /// - Precondition: `item` is below the category's count.
  public func triplet(category: Int, item: Int) -> TripletID {
    triplets([Draw(category: category, item: item)])[0]
  }

  /// The triplets of a batch, in the order of its draws.
  ///
  /// One plain loop of independent reads: of millions of triplets most are far from any cache, and
  /// the processor fetches several at a time.
  ///
  /// - Precondition: each draw's item is below its category's count.
  public func triplets(_ draws: [Draw]) -> [TripletID] {
    // The view keeps the lists while it is read.
    withExtendedLifetime(self) {
      draws.map { draw in
        let count = counts[draw.category]
        precondition(draw.item < count, "item \(draw.item) of \(count)")
        return readers[draw.category][draw.item]
      }
    }
  }

  /// Takes the lists of some categories from a later view of the same stream.
  public mutating func take(_ positions: [Int], from later: SnapshotView) {
    var taken = categories
    for position in positions where later.categories[position].count > taken[position].count {
      taken[position] = later.categories[position]
    }
    categories = taken
  }
}

extension TripletStore {
  /// The lists of `categories` (all that are not empty when nil) at `snapshot` (now when nil).
  ///
  /// - Throws: ``StoreError/Code/categoryUnknown``, ``StoreError/Code/snapshotGone``.
  public func view(
    _ categories: [CategoryName]?, at snapshot: Int64? = nil
  ) throws(StoreError) -> SnapshotView {
    let state = index.read { $0 }
    let snapshot = snapshot ?? state.snapshot
    guard (0...state.snapshot).contains(snapshot) else {
      throw StoreError(
        .snapshotGone,
        "snapshot \(snapshot) is not in this store, whose newest is \(state.snapshot)")
    }
    guard snapshot >= leases.oldest else {
      throw SnapshotLeases.gone(snapshot, oldest: leases.oldest)
    }
    var entries: [SnapshotView.Category] = []
    for name in categories ?? state.rows.keys.sorted() {
      let (row, entry) = try Self.entry(name, state)
      // What was removed since is missing in memory, and must be seen at an older snapshot.
      let list =
        snapshot >= state.lastRemoval
        ? entry.list : try catalog.list(category: row, at: snapshot)
      let count = list.count(upTo: snapshot)
      if categories != nil || count > 0 {
        entries.append(.init(name: name, count: count, list: list))
      }
    }
    return SnapshotView(snapshot: snapshot, categories: entries)
  }

  /// `view` with the lists at `positions` as long as they are now: what the snapshot shows, then
  /// every triplet stored since, whether it has been removed later or not.
  ///
  /// The same item is the same triplet at any time, so a stream can take the longer list where it
  /// stands.
  ///
  /// - Throws: ``StoreError/Code/unwritable`` or another code when the catalog cannot be read.
  public func grown(
    _ view: SnapshotView, _ positions: [Int]
  ) throws(StoreError) -> SnapshotView {
    let state = index.read { $0 }
    var categories = view.categories
    for position in positions {
      let name = view.categories[position].name
      let (row, entry) = try Self.entry(name, state)
      let list =
        view.snapshot >= state.lastRemoval
        ? entry.list : try catalog.list(category: row, at: view.snapshot, growing: true)
      categories[position] = .init(
        name: name, count: list.count(upTo: state.snapshot), list: list)
    }
    return SnapshotView(snapshot: view.snapshot, categories: categories)
  }

  private static func entry(
    _ name: CategoryName, _ state: borrowing StoreIndex.State
  ) throws(StoreError) -> (row: Int64, entry: StoreIndex.Entry) {
    guard let row = state.rows[name], let entry = state.entries[row] else { throw unknown(name) }
    return (row, entry)
  }
}
