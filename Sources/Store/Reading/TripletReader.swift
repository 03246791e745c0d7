import Schema

/// Reads the blobs of one triplet after the other into memory of its own, checks them, and decodes
/// them where the caller says.
///
/// For one thread at a time. ``load(_:)`` comes first; what it has read stays until the next one.
public final class TripletReader {
  /// How the pixels of a decoded image lie.
  public enum PixelOrder: Sendable {
    /// `[height, width, 3]`.
    case interleaved
    /// `[3, height, width]`.
    case planar
  }

  /// Bytes between the blobs of a triplet that are read along with them at most.
  private static let maximumGapBytes = 64 << 10
  /// Scratch memory that is kept between two triplets.
  private static let keptBytes = 16 << 20

  private let packs: PackFolder
  private var facts: TripletFacts?
  private var bytes: [UInt8] = []
  /// Where the payload of the image, then of each mask, lies in `bytes`.
  private var payloads: [Range<Int>] = []

  init(_ packs: PackFolder) { self.packs = packs }

  /// Reads all blobs of a triplet and holds each against its checksum.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when a byte is not what was written,
  ///   ``StoreError/Code/unwritable`` when the disk cannot be read.
  public func load(_ facts: TripletFacts) throws(StoreError) {
    self.facts = nil
    payloads.removeAll(keepingCapacity: true)
    let places = [facts.image] + facts.masks.map(\.place)
    // The blobs of a triplet were written one behind the other: one read gets them all.
    let first = places.map(\.offset).min() ?? 0
    let end = places.map { $0.offset + Self.recordBytes($0) }.max() ?? 0
    let total = places.reduce(0) { $0 + Self.recordBytes($1) }
    let isTogether =
      places.allSatisfy { $0.pack == facts.image.pack }
      && end - first <= total + Self.maximumGapBytes
    grow(to: isTogether ? end - first : total)
    if isTogether { try read(facts.image.pack, at: first, into: 0..<(end - first), facts) }
    var filled = 0
    for place in places {
      let length = Self.recordBytes(place)
      let start = isTogether ? place.offset - first : filled
      if !isTogether {
        try read(place.pack, at: place.offset, into: start..<(start + length), facts)
      }
      // Safe: the range lies inside the array, which was grown to hold it.
      try unsafe bytes.withUnsafeBufferPointer { (buffer) throws(StoreError) in
        try unsafe PackRecord.verify(
          UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[start..<(start + length)])),
          place: place,
          of: facts.triplet, file: PackFolder.name(place.pack))
      }
      payloads.append((start + PackLayout.recordHeaderBytes)..<(start + length))
      filled += length
    }
    self.facts = facts
  }

  /// Decodes the image.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  /// - Precondition: a triplet is loaded and `output` has its `height * width * 3` bytes.
  @unsafe public func decodeImage(
    into output: UnsafeMutableRawBufferPointer, order: PixelOrder
  ) throws(StoreError) {
    let facts = loaded
    try unsafe decode(0) { (payload) throws(StoreError) in
      try unsafe BlobCodec.decodeImage(
        payload, codec: facts.image.codec, width: facts.width, height: facts.height, into: output,
        layout: order == .planar ? .planar : .interleaved)
    }
  }

  /// Writes `value` wherever mask `index` is 1.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  /// - Precondition: a triplet is loaded and `labels` has its `height * width` values.
  @unsafe public func paintMask(
    _ index: Int, value: UInt16, into labels: UnsafeMutableBufferPointer<UInt16>
  ) throws(StoreError) {
    let facts = loaded
    try unsafe decode(index + 1) { (payload) throws(StoreError) in
      try unsafe BlobCodec.paintMask(
        payload, codec: facts.masks[index].place.codec, width: facts.width, height: facts.height,
        value: value, into: labels)
    }
  }

  /// Writes the whole of mask `index`, 0 or 1 for each pixel.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  /// - Precondition: a triplet is loaded and `output` has its `height * width` bytes.
  @unsafe public func fillMask(
    _ index: Int, into output: UnsafeMutableBufferPointer<UInt8>
  ) throws(StoreError) {
    let facts = loaded
    try unsafe decode(index + 1) { (payload) throws(StoreError) in
      try unsafe BlobCodec.fillMask(
        payload, codec: facts.masks[index].place.codec, width: facts.width, height: facts.height,
        into: output)
    }
  }

  private var loaded: TripletFacts {
    guard let facts else { preconditionFailure("no triplet is loaded") }
    return facts
  }

  private func decode(
    _ payload: Int, _ body: (UnsafeRawBufferPointer) throws(StoreError) -> Void
  ) throws(StoreError) {
    let range = payloads[payload]
    do throws(StoreError) {
      // Safe: the range was read and checked, and the pointer does not leave the closure.
      try unsafe bytes.withUnsafeBufferPointer { (buffer) throws(StoreError) in
        try unsafe body(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[range])))
      }
    } catch {
      throw StoreError(error.code, "triplet \(loaded.triplet): \(error.message)", cause: error)
    }
  }

  private func read(
    _ pack: Int, at offset: Int, into range: Range<Int>, _ facts: TripletFacts
  ) throws(StoreError) {
    let file = try packs.file(pack)
    // Safe: the range lies inside the array, which was grown to hold it.
    let count = try unsafe bytes.withUnsafeMutableBufferPointer { (buffer) throws(StoreError) in
      try unsafe file.read(
        at: offset,
        into: UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[range])))
    }
    guard count == range.count else {
      throw StoreError(
        .corrupt,
        "\(PackFolder.name(pack)) at \(offset), triplet \(facts.triplet): the file ends after "
          + "\(count) of \(range.count) bytes")
    }
  }

  private func grow(to count: Int) {
    if bytes.count > Self.keptBytes, count <= Self.keptBytes { bytes = [] }
    if bytes.count < count {
      bytes = [UInt8](repeating: 0, count: max(count, 2 * bytes.count))
    }
  }

  private static func recordBytes(_ place: BlobPlace) -> Int {
    PackLayout.recordHeaderBytes + place.storedBytes
  }
}

extension TripletStore {
  /// A reader for one thread.
  public nonisolated func reader() -> TripletReader { TripletReader(packs) }
}
