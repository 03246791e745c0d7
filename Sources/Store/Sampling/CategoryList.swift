package import Schema

/// The triplets that show one category, in the order in which the store took them.
///
/// Grows at its end only, so its first `n` entries are the same for ever: a snapshot is a number.
/// A value: whoever reads a copy needs no lock and sees nothing of what is added. Kept in chunks,
/// so that adding to a list of which there are copies copies one chunk and not all. Four bytes an
/// entry, which bounds a store at 2^32 - 1 changes.
package struct CategoryList: Sendable {
  /// The highest change number that an entry can hold.
  package static let maximumID = Int64(UInt32.max) - 1
  /// Entries of a full chunk: 64 KiB.
  private static let chunkCount = 1 << chunkBits
  private static let chunkBits = 14

  /// Entries.
  package private(set) var count: Int
  /// All full but the last.
  private var chunks: [[UInt32]]

  /// A list with these entries, in rising order.
  package init(_ ids: [UInt32] = []) {
    count = ids.count
    chunks = stride(from: 0, to: ids.count, by: Self.chunkCount).map { start in
      Array(ids[start..<min(start + Self.chunkCount, ids.count)])
    }
  }

  /// The entry at `index`.
  ///
  /// - Precondition: `index` is below ``count``.
  package subscript(index: Int) -> TripletID {
    TripletID(chunks[index >> Self.chunkBits][index & (Self.chunkCount - 1)])
  }

  /// Adds an entry, larger than those before.
  package mutating func append(_ id: TripletID) {
    if count & (Self.chunkCount - 1) == 0 {
      // A chunk that grew by doubling gives back what it has too much.
      if let last = chunks.indices.last { chunks[last] = chunks[last].map(\.self) }
      chunks.append([])
    }
    chunks[chunks.count - 1].append(UInt32(id))
    count += 1
  }

  /// How many entries are at most `snapshot`.
  func count(upTo snapshot: Int64) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] <= snapshot { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Removes `id`; copies made before stay as they are.
  mutating func remove(_ id: TripletID) {
    self = CategoryList(chunks.flatMap { $0 }.filter { TripletID($0) != id })
  }
}
