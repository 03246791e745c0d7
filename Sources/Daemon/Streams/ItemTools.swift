import Store

/// What one thread needs to write items: a reader and scratch memory, used again and again.
@safe final class ItemTools {
  /// Scratch memory that is kept between two items.
  private static let keptBytes = 64 << 20

  let reader: TripletReader
  private var scratch: UnsafeMutableRawBufferPointer
  /// Nanoseconds of reading and checking, since the last ``takeDiskTime()``.
  private var diskNanoseconds = 0
  /// Items whose pixels were in memory, since the last ``takeKeptCount()``.
  private var keptCount = 0

  /// Tools that read from `store`.
  init(_ store: TripletStore) {
    reader = store.reader()
    unsafe scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 0, alignment: 64)
  }

  deinit { unsafe scratch.deallocate() }

  /// Loads a triplet; the time is the disk's unless its bytes are in memory.
  ///
  /// - Parameter order: how its image will be asked for; nil when it will not be.
  func load(_ facts: TripletFacts, order: TripletReader.PixelOrder?) throws(StoreError) {
    guard !reader.loadFromMemory(facts, order: order) else {
      keptCount += order != nil && reader.hasPixels ? 1 : 0
      return
    }
    let start = ContinuousClock.now
    defer { diskNanoseconds += (ContinuousClock.now - start).nanoseconds }
    try reader.load(facts)
  }

  /// How many had their pixels in memory, since the last call.
  func takeKeptCount() -> Int {
    defer { keptCount = 0 }
    return keptCount
  }

  /// The time counted since the last call.
  func takeDiskTime() -> Int {
    defer { diskNanoseconds = 0 }
    return diskNanoseconds
  }

  /// Room for the pixels of an image; the same memory as the others but ``secondMask(_:)``.
  @unsafe func pixels(_ count: Int) -> UnsafeMutableRawBufferPointer { unsafe room(count, 0) }

  /// Room for a label map.
  @unsafe func labels(_ count: Int) -> UnsafeMutableBufferPointer<UInt16> {
    unsafe room(2 * count, 0).bindMemory(to: UInt16.self)
  }

  /// Room for a mask.
  @unsafe func mask(_ count: Int) -> UnsafeMutableBufferPointer<UInt8> {
    // Twice the room at once: a second mask must not move the first.
    unsafe UnsafeMutableRawBufferPointer(rebasing: room(2 * count, 0)[0..<count])
      .bindMemory(to: UInt8.self)
  }

  /// Room for a mask beside the one of ``mask(_:)``.
  @unsafe func secondMask(_ count: Int) -> UnsafeMutableBufferPointer<UInt8> {
    unsafe room(count, count).bindMemory(to: UInt8.self)
  }

  private func room(_ count: Int, _ start: Int) -> UnsafeMutableRawBufferPointer {
    let end = start + count
    if unsafe scratch.count < end || (scratch.count > Self.keptBytes && end <= Self.keptBytes) {
      unsafe scratch.deallocate()
      unsafe scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: end, alignment: 64)
    }
    return unsafe UnsafeMutableRawBufferPointer(rebasing: scratch[start..<end])
  }
}

extension Duration {
  /// Whole nanoseconds.
  var nanoseconds: Int {
    Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000)
  }

  /// Whole microseconds.
  var microseconds: Int { nanoseconds / 1000 }
}
