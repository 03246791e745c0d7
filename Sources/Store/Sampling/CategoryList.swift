private import Glibc
package import Schema
import Synchronization

/// The triplets that show one category, in the order in which the store took them.
///
/// Grows at its end only, so its first `n` entries are the same for ever: a snapshot is a number.
/// Entries lie in segments, each as long as all before it, that never move: whoever knows a count
/// reads below it without a lock while the store adds behind it. (A lock around an array, or arrays
/// in chunks with their reference counts, would fetch one entry from far memory after the other
/// instead of several at a time; `make show-draw` times it.) Four bytes an entry, which bounds a
/// store at 2^32 - 1 changes; a page that holds no entry yet takes no memory.
///
/// Safe to share: only the store's queue appends, a segment is written where no published count
/// reaches, and the count is published behind the write.
@safe package final class CategoryList: @unchecked Sendable {
  /// The highest change number that an entry can hold.
  package static let maximumID = Int64(UInt32.max) - 1

  typealias Segment = UnsafeMutablePointer<UInt32>
  /// Entries of the first segment, as a power of two; the second has as many.
  fileprivate static let firstBits = 8
  /// Enough for 2^32 entries.
  private static let segmentCount = 32 - firstBits + 1

  private static let hugePageBytes = 2 << 20

  let segments: UnsafeMutablePointer<Segment?>
  private let published: Atomic<Int>

  /// A list with these entries, in rising order.
  package init(_ ids: [UInt32] = []) {
    unsafe segments = .allocate(capacity: Self.segmentCount)
    unsafe segments.initialize(repeating: nil, count: Self.segmentCount)
    published = Atomic(0)
    for id in ids { append(TripletID(id)) }
  }

  deinit {
    // Safe: readers hold the list, so nobody reads any more.
    for segment in 0..<Self.segmentCount {
      if let entries = unsafe segments[segment] {
        unsafe UnsafeMutableRawPointer(entries).deallocate()
      }
    }
    unsafe segments.deallocate()
  }

  /// Entries now.
  package var count: Int { published.load(ordering: .acquiring) }

  /// The entry at `index`.
  ///
  /// - Precondition: `index` is below ``count``.
  package subscript(index: Int) -> TripletID {
    precondition(index >= 0 && index < count, "entry \(index) of \(count)")
    return CategoryReader(self)[index]
  }

  /// Adds an entry, larger than those before; one caller at a time.
  package func append(_ id: TripletID) {
    let index = published.load(ordering: .relaxed)
    let (segment, offset) = Self.place(index)
    // Safe: the place lies inside the segment, and no reader knows a count above `index`.
    if unsafe segments[segment] == nil {
      let capacity = 1 << (Self.firstBits + max(0, segment - 1))
      unsafe segments[segment] = Self.memory(capacity)
    }
    unsafe segments[segment]?[offset] = UInt32(id)
    published.store(index + 1, ordering: .releasing)
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

  /// A list without `ids`; this one stays as it is for those who read it.
  func removing(_ ids: Set<TripletID>) -> CategoryList {
    let reader = CategoryReader(self)
    let list = CategoryList()
    for index in 0..<count where !ids.contains(reader[index]) { list.append(reader[index]) }
    return list
  }

  /// Memory of a segment.
  ///
  /// Long ones lie in huge pages, where the system has some to give: half of the time of a far read
  /// was the search for its page (`make show-draw`: 1.35 without them, 1.27 with them).
  private static func memory(_ capacity: Int) -> Segment {
    let bytes = capacity * MemoryLayout<UInt32>.stride
    let rounded = (bytes + hugePageBytes - 1) / hugePageBytes * hugePageBytes
    let size = bytes < hugePageBytes / 2 ? bytes : rounded
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: size, alignment: size < hugePageBytes ? 16 : hugePageBytes)
    // Advice: where it is not taken, nothing but the speed is different.
    if size >= hugePageBytes { _ = unsafe madvise(memory, size, MADV_HUGEPAGE) }
    return unsafe memory.bindMemory(to: UInt32.self, capacity: capacity)
  }

  fileprivate static func place(_ index: Int) -> (segment: Int, offset: Int) {
    let top = index >> firstBits
    guard top > 0 else { return (0, index) }
    let segment = Int.bitWidth - top.leadingZeroBitCount
    return (segment, index - (1 << (firstBits + segment - 1)))
  }
}

/// Reads a list's entries without counting references, for loops over many draws.
///
/// Safe as long as its list is kept, and below a count that the list has had.
@safe struct CategoryReader: @unchecked Sendable {
  private let segments: UnsafeMutablePointer<CategoryList.Segment?>

  /// A reader of a list that the caller keeps.
  init(_ list: CategoryList) { unsafe segments = list.segments }

  /// The entry at `index`.
  subscript(index: Int) -> TripletID {
    let (segment, offset) = CategoryList.place(index)
    guard let entries = unsafe segments[segment] else {
      preconditionFailure("entry \(index) is in no segment")
    }
    return unsafe TripletID(entries[offset])
  }
}
