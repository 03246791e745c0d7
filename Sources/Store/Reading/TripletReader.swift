import Schema

/// Reads the blobs of one triplet after the other into memory of its own, checks them, and decodes
/// them where the caller says.
///
/// For one thread at a time. ``load(_:)`` comes first; what it has read stays until the next one.
@safe public final class TripletReader {
  /// How the pixels of a decoded image lie.
  public enum PixelOrder: Sendable {
    /// `[height, width, 3]`.
    case interleaved
    /// `[3, height, width]`.
    case planar
  }

  /// Scratch memory that is kept between two triplets.
  private static let keptBytes = 16 << 20

  private let packs: PackFolder
  private var facts: TripletFacts?
  private var scratch: UnsafeMutableRawBufferPointer
  /// The records of the loaded triplet, in `scratch` or in what its facts keep.
  private var source: UnsafeRawBufferPointer

  init(_ packs: PackFolder) {
    self.packs = packs
    unsafe scratch = .allocate(byteCount: 0, alignment: 16)
    unsafe source = UnsafeRawBufferPointer(start: nil, count: 0)
  }

  deinit { unsafe scratch.deallocate() }

  /// Loads a triplet whose bytes were read and checked before and kept; false when they were not.
  public func loadFromMemory(_ facts: TripletFacts) -> Bool {
    guard let bytes = facts.bytes else { return false }
    // Safe: the facts are kept, and keep the bytes.
    unsafe source = bytes.all
    self.facts = facts
    return true
  }

  /// Reads all blobs of a triplet and holds each against its checksum.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when a byte is not what was written,
  ///   ``StoreError/Code/unwritable`` when the disk cannot be read.
  public func load(_ facts: TripletFacts) throws(StoreError) {
    self.facts = nil
    grow(to: facts.readBytes)
    let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: scratch[0..<facts.readBytes])
    if let extent = facts.extent {
      try unsafe read(facts.image.pack, at: extent.lowerBound, into: bytes, facts)
    }
    for (index, range) in facts.records.enumerated() {
      let place = index == 0 ? facts.image : facts.masks[index - 1].place
      let record = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[range])
      if facts.extent == nil {
        try unsafe read(place.pack, at: place.offset, into: record, facts)
      }
      try unsafe PackRecord.verify(
        UnsafeRawBufferPointer(record), place: place, of: facts.triplet,
        file: PackFolder.name(place.pack))
    }
    unsafe source = UnsafeRawBufferPointer(bytes)
    unsafe facts.noteRead(source)
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
    _ record: Int, _ body: (UnsafeRawBufferPointer) throws(StoreError) -> Void
  ) throws(StoreError) {
    let facts = loaded
    let range = facts.records[record]
    let payload = (range.lowerBound + PackLayout.recordHeaderBytes)..<range.upperBound
    do throws(StoreError) {
      // Safe: the range was read and checked, and the pointer does not leave the closure.
      try unsafe body(UnsafeRawBufferPointer(rebasing: source[payload]))
    } catch {
      throw StoreError(error.code, "triplet \(facts.triplet): \(error.message)", cause: error)
    }
  }

  private func read(
    _ pack: Int, at offset: Int, into target: UnsafeMutableRawBufferPointer, _ facts: TripletFacts
  ) throws(StoreError) {
    let count = try unsafe packs.file(pack).read(at: offset, into: target)
    guard count == target.count else {
      throw StoreError(
        .corrupt,
        "\(PackFolder.name(pack)) at \(offset), triplet \(facts.triplet): the file ends after "
          + "\(count) of \(target.count) bytes")
    }
  }

  private func grow(to count: Int) {
    let isTooLarge = unsafe scratch.count > Self.keptBytes && count <= Self.keptBytes
    guard unsafe scratch.count < count || isTooLarge else { return }
    let size = unsafe max(count, isTooLarge ? 0 : 2 * scratch.count)
    unsafe scratch.deallocate()
    unsafe scratch = .allocate(byteCount: size, alignment: 16)
  }
}

extension TripletStore {
  /// A reader for one thread.
  public nonisolated func reader() -> TripletReader { TripletReader(packs) }
}
