import Synchronization

/// Decoded images of triplets that are drawn again and again, within a number of bytes.
///
/// Copying pixels takes a fraction of the time of decoding them. An image is kept the
/// second time that it is decoded, so whoever draws each triplet once pays nothing. What is
/// kept hangs on its ``TripletFacts`` and goes with them. When the room is used up, one image
/// in eight takes the place of random others: streams go round their triplets, and among those
/// that go round, whoever stays longest serves best, while a new set of triplets still gets in
/// (Qureshi et al., ISCA 2007, "Adaptive insertion policies for high performance caching").
public final class PixelCache: Sendable {
  /// Of images that come when there is no room, one in so many is kept.
  static let insertionInterval = 8

  /// The longest piece with the records of all masks that is kept with an image.
  static let maximumMaskBytes = 64 << 10
  /// How long the memory stays behind the last stream.
  static let idleTime: Duration = .seconds(60)

  private struct State {
    /// What is kept, and some that has gone since.
    var images: [KeptImage] = []
    var refused = 0
    var sweepCount = 64
    var random = SystemRandomNumberGenerator()
    var lastUse = ContinuousClock.now
  }

  private let budget: MemoryBudget
  private let state = Mutex(State())

  /// An empty cache; with 0 bytes it keeps nothing.
  init(maximumBytes: Int) { budget = MemoryBudget(bytes: maximumBytes) }

  /// Bytes that are in use.
  public var bytes: Int { budget.bytes }

  /// Bytes that it may use; with less than are in use, what is too much goes.
  public var maximumBytes: Int {
    get { budget.limit }
    set {
      budget.limit = newValue
      makeRoom(for: 0)
    }
  }

  /// Gives all memory back when there was no stream to use it for ``idleTime``.
  ///
  /// - Returns: whether it did, and there was some.
  @discardableResult
  public func follow(streams: Int, now: ContinuousClock.Instant = .now) -> Bool {
    let isIdle = state.withLock { state in
      if streams > 0 { state.lastUse = now }
      return now - state.lastUse > Self.idleTime
    }
    guard isIdle, bytes > 0 else { return false }
    removeAll()
    return true
  }

  /// Gives all memory back.
  func removeAll() {
    let images = state.withLock { state in
      defer { state.images = [] }
      return state.images
    }
    for image in images { image.drop() }
  }

  /// Keeps a copy of a decoded image and of the records of its masks; nil when it is not its turn.
  func keep(
    _ pixels: UnsafeRawBufferPointer, _ order: TripletReader.PixelOrder,
    masks: UnsafeRawBufferPointer, masksStart: Int
  ) -> KeptImage? {
    guard masks.count <= Self.maximumMaskBytes, reserve(pixels.count + masks.count) else {
      return nil
    }
    let image = KeptImage(
      unsafe KeptPixels(copying: pixels, order, masks: masks, masksStart: masksStart, of: budget))
    state.withLock { state in
      // What has gone is swept out now and then, for the price of one look at each.
      if state.images.count >= state.sweepCount {
        state.images.removeAll { $0.pixels == nil }
        state.sweepCount = max(64, 2 * state.images.count)
      }
      state.images.append(image)
    }
    return image
  }

  /// Sets `count` bytes aside; false when there is no room and it is not their turn to make some.
  private func reserve(_ count: Int) -> Bool {
    guard count <= maximumBytes else { return false }
    if !budget.hasRoom(for: count) {
      let isItsTurn = state.withLock { state in
        state.refused += 1
        return state.refused.isMultiple(of: Self.insertionInterval)
      }
      guard isItsTurn else { return false }
      makeRoom(for: count)
    }
    return budget.reserve(count)
  }

  /// Drops random images until `count` bytes fit.
  private func makeRoom(for count: Int) {
    while !budget.hasRoom(for: count) {
      let victim = state.withLock { state -> KeptImage? in
        guard !state.images.isEmpty else { return nil }
        let index = Int.random(in: state.images.indices, using: &state.random)
        state.images.swapAt(index, state.images.count - 1)
        return state.images.removeLast()
      }
      guard let victim else { return }
      victim.drop()
    }
  }
}

/// The place of one image in the cache; empty once the cache has dropped what was there.
///
/// (Weak references would do the same, and make each use of what they point to slower.)
final class KeptImage: Sendable {
  private let state: Mutex<KeptPixels?>

  init(_ pixels: KeptPixels) { state = Mutex(pixels) }

  /// What is there.
  var pixels: KeptPixels? { state.withLock { $0 } }

  /// Empties the place; the memory goes back once nobody is reading it.
  func drop() {
    // Let go outside the lock.
    let dropped = state.withLock { pixels in
      defer { pixels = nil }
      return pixels
    }
    withExtendedLifetime(dropped) {}
  }
}

/// The pixels of one image, and the records of its masks as they were read and checked.
@safe final class KeptPixels: @unchecked Sendable {
  /// The pixels; valid while this object lives, and never changed.
  @unsafe let pixels: UnsafeRawBufferPointer
  /// How they lie.
  let order: TripletReader.PixelOrder
  /// What the records of the masks lie in; valid while this object lives, and never changed.
  @unsafe let masks: UnsafeRawBufferPointer
  /// Where that begins in what a reader reads.
  let masksStart: Int
  private let budget: MemoryBudget

  fileprivate init(
    copying pixels: UnsafeRawBufferPointer, _ order: TripletReader.PixelOrder,
    masks: UnsafeRawBufferPointer, masksStart: Int, of budget: MemoryBudget
  ) {
    // One piece for both.
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: pixels.count + masks.count, alignment: 64)
    unsafe memory.copyMemory(from: pixels)
    let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[pixels.count...])
    unsafe rest.copyMemory(from: masks)
    unsafe self.pixels = UnsafeRawBufferPointer(rebasing: memory[..<pixels.count])
    unsafe self.masks = UnsafeRawBufferPointer(rest)
    self.order = order
    self.masksStart = masksStart
    self.budget = budget
  }

  deinit {
    // Safe: the pixels are where the piece begins, and nobody has it any more.
    unsafe pixels.deallocate()
    budget.release(unsafe pixels.count + masks.count)
  }
}
