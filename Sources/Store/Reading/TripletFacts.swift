public import Schema
import Synchronization

/// What a batch needs to know of one triplet: where its blobs lie and what they are.
///
/// A class, so that a batch of hundreds is hundreds of references. A small triplet that is read
/// again keeps its bytes as well: below some kilobytes a read from the page cache and the check of
/// its sum take longer than decoding (`make show-limit`). An image that is decoded again may keep
/// its pixels instead, see ``PixelCache``.
public final class TripletFacts: Sendable {
  /// One mask.
  struct Mask: Sendable {
    /// The catalog's row of its category.
    let category: Int64
    let place: BlobPlace
  }

  /// What is kept, and what has happened before to what is not.
  private struct Memory {
    var wasRead = false
    var bytes: TripletBytes?
    var wasDecoded = false
    var image: KeptImage?
  }

  /// The longest triplet whose bytes are kept, with the headers of its records.
  static let maximumKeptBytes = 16 << 10
  /// Bytes between the blobs of a triplet that are read along with them at most.
  private static let maximumGapBytes = 64 << 10

  /// Its id.
  public let triplet: TripletID
  /// Pixels along a row of its image.
  public let width: Int
  /// Rows of its image.
  public let height: Int
  /// The text it was made from.
  public let prompt: String
  /// Whether its bytes were found broken.
  let isQuarantined: Bool
  let image: BlobPlace
  let masks: [Mask]
  /// Where all records lie in the image's pack when one read gets them; nil when they lie apart.
  let extent: Range<Int>?
  /// Where the record of the image, then of each mask, lies in what a reader reads.
  let records: [Range<Int>]

  private let memory = Mutex(Memory())

  init(
    triplet: TripletID, width: Int, height: Int, prompt: String, isQuarantined: Bool,
    image: BlobPlace, masks: [Mask]
  ) {
    self.triplet = triplet
    self.width = width
    self.height = height
    self.prompt = prompt
    self.isQuarantined = isQuarantined
    self.image = image
    self.masks = masks
    let places = [image] + masks.map(\.place)
    let lengths = places.map { PackLayout.recordHeaderBytes + $0.storedBytes }
    // The blobs of a triplet were written one behind the other: one read gets them all.
    let first = places.map(\.offset).min() ?? 0
    let end = zip(places, lengths).map { $0.offset + $1 }.max() ?? 0
    let total = lengths.reduce(0, +)
    let isTogether =
      places.allSatisfy { $0.pack == image.pack } && end - first <= total + Self.maximumGapBytes
    extent = isTogether ? first..<end : nil
    var filled = 0
    records = zip(places, lengths).map { place, length in
      let start = isTogether ? place.offset - first : filled
      filled += length
      return start..<(start + length)
    }
  }

  /// How many masks it has.
  public var maskCount: Int { masks.count }

  /// The catalog's row of the category of a mask.
  public func category(ofMask index: Int) -> Int64 { masks[index].category }

  /// Bytes that a reader reads.
  var readBytes: Int { extent?.count ?? records.last?.upperBound ?? 0 }

  /// About how many bytes of memory it takes, without those that it keeps.
  var memoryBytes: Int {
    256 + prompt.utf8.count + masks.count * MemoryLayout<Mask>.stride
      + records.count * MemoryLayout<Range<Int>>.stride
  }

  /// The piece of what a reader reads in which the records of all masks lie.
  var maskSpan: Range<Int> {
    let ranges = records.dropFirst()
    return (ranges.map(\.lowerBound).min() ?? 0)..<(ranges.map(\.upperBound).max() ?? 0)
  }

  /// The bytes that were read and checked, if they were kept; they stay as long as this object.
  var bytes: TripletBytes? { memory.withLock { $0.bytes } }

  /// The decoded pixels, if they are kept.
  var pixels: KeptPixels? { memory.withLock { $0.image }?.pixels }

  /// Takes a copy of what was read and checked, the second time, when there is room for it.
  func noteRead(_ bytes: UnsafeRawBufferPointer, _ budget: MemoryBudget) {
    guard readBytes <= Self.maximumKeptBytes else { return }
    memory.withLock { memory in
      if memory.wasRead, memory.bytes == nil, budget.reserve(bytes.count) {
        memory.bytes = unsafe TripletBytes(copying: bytes, of: budget)
      }
      memory.wasRead = true
    }
  }

  /// Takes a copy of the decoded image, the second time, when the cache has room for it.
  ///
  /// - Parameter read: what a reader has read of the triplet.
  func noteDecoded(
    _ pixels: UnsafeRawBufferPointer, _ order: TripletReader.PixelOrder,
    read: UnsafeRawBufferPointer, _ cache: PixelCache
  ) {
    let isWanted = memory.withLock { memory in
      defer { memory.wasDecoded = true }
      return memory.wasDecoded && memory.image?.pixels == nil
    }
    guard isWanted else { return }
    let span = maskSpan
    let image = unsafe cache.keep(
      pixels, order, masks: UnsafeRawBufferPointer(rebasing: read[span]),
      masksStart: span.lowerBound)
    guard let image else { return }
    let previous = memory.withLock { memory in
      // The pixels come with what is needed of the masks.
      defer { (memory.image, memory.bytes) = (image, nil) }
      return memory.image
    }
    // Another thread may have been as quick.
    previous?.drop()
  }

  deinit { memory.withLock { $0.image }?.drop() }
}

/// Bytes that never change, outside any array, so that several threads read them where they are.
@safe final class TripletBytes: @unchecked Sendable {
  /// All of them; valid while this object lives.
  @unsafe let all: UnsafeRawBufferPointer
  private let budget: MemoryBudget

  /// Copies bytes for which room was reserved.
  init(copying bytes: UnsafeRawBufferPointer, of budget: MemoryBudget) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    unsafe copy.copyMemory(from: bytes)
    unsafe all = UnsafeRawBufferPointer(copy)
    self.budget = budget
  }

  deinit {
    // Safe: nobody has the bytes any more.
    unsafe all.deallocate()
    budget.release(unsafe all.count)
  }
}
