import Schema
import Synchronization

/// The triplets that show one category, in the order in which the store took them.
///
/// Grows at its end only, so its first `n` entries are the same for ever: a snapshot is a number.
/// Four bytes an entry, which bounds a store at 2^32 - 1 changes.
final class CategoryList: Sendable {
  private let ids: Mutex<[UInt32]>

  /// A list with these entries, in rising order.
  init(_ ids: [UInt32] = []) { self.ids = Mutex(ids) }

  /// Entries now.
  var count: Int { ids.withLock { $0.count } }

  /// The entry at `index`.
  ///
  /// - Precondition: `index` is below ``count``.
  subscript(index: Int) -> TripletID { ids.withLock { TripletID($0[index]) } }

  /// Adds entries, each larger than those before.
  func append(_ id: TripletID) {
    ids.withLock { $0.append(UInt32(id)) }
  }

  /// How many entries are at most `snapshot`.
  func count(upTo snapshot: Int64) -> Int {
    ids.withLock { ids in
      var (low, high) = (0, ids.count)
      while low < high {
        let middle = (low + high) / 2
        if Int64(ids[middle]) <= snapshot { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }

  /// A list without `id`; this one stays as it is for those who read it.
  func removing(_ id: TripletID) -> CategoryList {
    ids.withLock { ids in CategoryList(ids.filter { TripletID($0) != id }) }
  }
}
