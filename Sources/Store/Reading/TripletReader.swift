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
  private let cache: PixelCache
  private let budget: MemoryBudget
  private var facts: TripletFacts?
  private var scratch: UnsafeMutableRawBufferPointer
  /// The records of the loaded triplet, in `scratch` or in what is kept; those of the masks
  /// alone when the pixels are kept.
  private var source: UnsafeRawBufferPointer
  /// Where `source` begins in what a reader reads.
  private var sourceStart = 0
  /// The pixels of the loaded triplet, if they are kept.
  private var pixels: KeptPixels?
  /// What keeps `source` otherwise.
  private var bytes: TripletBytes?

  init(_ packs: PackFolder, _ cache: PixelCache, _ budget: MemoryBudget) {
    self.packs = packs
    self.cache = cache
    self.budget = budget
    unsafe scratch = .allocate(byteCount: 0, alignment: 16)
    unsafe source = UnsafeRawBufferPointer(start: nil, count: 0)
  }

  deinit { unsafe scratch.deallocate() }

  /// Loads a triplet whose bytes were read and checked before and kept, or whose pixels were;
  /// false when they were not.
  ///
  /// - Parameter order: how its image will be asked for; nil when it will not be.
  public func loadFromMemory(_ facts: TripletFacts, order: PixelOrder?) -> Bool {
    // Safe: what `source` points into is kept.
    if let pixels = facts.pixels, order == nil || order == pixels.order {
      unsafe (source, sourceStart) = (pixels.masks, pixels.masksStart)
      self.pixels = pixels
    } else if let bytes = facts.bytes {
      unsafe (source, sourceStart) = (bytes.all, 0)
      self.bytes = bytes
      pixels = nil
    } else {
      return false
    }
    self.facts = facts
    return true
  }

  /// Whether the pixels of the loaded triplet need no decoding.
  public var hasPixels: Bool { pixels != nil }

  /// Reads all blobs of a triplet and holds each against its checksum.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when a byte is not what was written,
  ///   ``StoreError/Code/unwritable`` when the disk cannot be read.
  public func load(_ facts: TripletFacts) throws(StoreError) {
    self.facts = nil
    (pixels, self.bytes) = (nil, nil)
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
    unsafe (source, sourceStart) = (UnsafeRawBufferPointer(bytes), 0)
    unsafe facts.noteRead(source, budget)
    self.facts = facts
  }

  /// Decodes the image.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  /// - Precondition: a triplet is loaded, in that order if from memory, and `output` has its
  ///   `height * width * 3` bytes.
  @unsafe public func decodeImage(
    into output: UnsafeMutableRawBufferPointer, order: PixelOrder
  ) throws(StoreError) {
    let facts = loaded
    if let pixels {
      precondition(pixels.order == order, "loaded for another order of the pixels")
      return unsafe output.copyMemory(from: pixels.pixels)
    }
    try unsafe decode(0) { (payload) throws(StoreError) in
      try unsafe BlobCodec.decodeImage(
        payload, codec: facts.image.codec, width: facts.width, height: facts.height, into: output,
        layout: order == .planar ? .planar : .interleaved)
    }
    unsafe facts.noteDecoded(UnsafeRawBufferPointer(output), order, read: source, cache)
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
    let start = range.lowerBound + PackLayout.recordHeaderBytes - sourceStart
    let payload = start..<(range.upperBound - sourceStart)
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
  public nonisolated func reader() -> TripletReader {
    TripletReader(packs, pixelCache, smallTriplets)
  }
}
