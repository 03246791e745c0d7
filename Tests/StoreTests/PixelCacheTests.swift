import Schema
import Testing

@testable import Store

@Suite("Decoded images in memory")
struct PixelCacheTests {
  /// Bytes of one image of 16x16, without what is kept of its masks.
  private static let imageBytes = 16 * 16 * 3

  private let fixture: StoreFixture

  init() throws { fixture = try StoreFixture() }

  private func open(images: Double) throws -> TripletStore {
    var options = StoreOptions()
    // The records of the masks take a little more.
    options.pixelCacheBytes = Int(images * Double(Self.imageBytes + 100))
    return try fixture.open(options)
  }

  /// Reads an image as a stream does; what comes and whether it came from memory.
  private func read(
    _ reader: TripletReader, _ facts: TripletFacts,
    _ order: TripletReader.PixelOrder = .interleaved
  ) throws -> (pixels: [UInt8], labels: [UInt16], isKept: Bool) {
    if !reader.loadFromMemory(facts, order: order) { try reader.load(facts) }
    var image = [UInt8](repeating: 0, count: Self.imageBytes)
    var labels = [UInt16](repeating: 0, count: 16 * 16)
    try unsafe image.withUnsafeMutableBytes {
      try unsafe reader.decodeImage(into: $0, order: order)
    }
    try unsafe labels.withUnsafeMutableBufferPointer {
      for mask in 0..<facts.maskCount {
        try unsafe reader.paintMask(mask, value: UInt16(mask + 1), into: $0)
      }
    }
    return (image, labels, reader.hasPixels)
  }

  @Test("an image comes from memory the third time, the same to the bit, masks too")
  func keepsWhatIsDrawnAgain() async throws {
    let store = try open(images: 10)
    try await store.fill("cat", 2)
    let facts = try await store.facts([1, 2])
    let reader = store.reader()
    let first = try read(reader, facts[0])
    #expect(!first.isKept && store.pixelCache.bytes == 0)
    #expect(try !read(reader, facts[0]).isKept)
    #expect(store.pixelCache.bytes >= Self.imageBytes)
    let other = try read(reader, facts[1])
    let third = try read(store.reader(), facts[0])
    #expect(third.isKept)
    #expect(third.pixels == first.pixels && third.labels == first.labels)
    #expect(first.labels.contains(1) && other.pixels != first.pixels)
  }

  @Test("pixels in another order are decoded, and do not take the place of those that are there")
  func keepsOrdersApart() async throws {
    let store = try open(images: 10)
    try await store.fill("cat", 1)
    let facts = try await store.facts([1])[0]
    let reader = store.reader()
    for _ in 0..<2 { _ = try read(reader, facts) }
    let planar = try read(reader, facts, .planar)
    #expect(!planar.isKept)
    let interleaved = try read(reader, facts)
    #expect(interleaved.isKept)
    for pixel in 0..<256 {
      for channel in 0..<3 {
        #expect(planar.pixels[256 * channel + pixel] == interleaved.pixels[3 * pixel + channel])
      }
    }
  }

  @Test("it stays within its bytes, lets one in eight of the others in, and serves what it has")
  func staysWithinItsBytes() async throws {
    let store = try open(images: 10)
    try await store.fill("cat", 40)
    let facts = try await store.facts(Array(1...40))
    let reader = store.reader()
    var hits: [Int] = []
    for _ in 0..<12 {
      var count = 0
      for entry in facts.shuffled() {
        count += try read(reader, entry).isKept ? 1 : 0
        #expect(store.pixelCache.bytes <= store.pixelCache.maximumBytes)
      }
      hits.append(count)
    }
    #expect(hits[0] == 0 && hits[1] == 0)
    // Ten of forty fit; one that always took the newest in would hardly serve any.
    #expect(hits.dropFirst(2).reduce(0, +) >= 6 * 10)
    // Others that are drawn from then on get in.
    try await store.fill("dog", 10)
    let later = try await store.facts(Array(41...50))
    for _ in 0..<60 { for entry in later { _ = try read(reader, entry) } }
    #expect(try later.count { try read(reader, $0).isKept } >= 5)
  }

  @Test("with no bytes nothing is kept; with fewer than before the rest goes")
  func shrinks() async throws {
    let store = try open(images: 0)
    try await store.fill("cat", 4)
    let facts = try await store.facts(Array(1...4))
    let reader = store.reader()
    for _ in 0..<3 { for entry in facts { #expect(try !read(reader, entry).isKept) } }
    store.pixelCache.maximumBytes = 1 << 20
    for entry in facts { _ = try read(reader, entry) }
    let all = store.pixelCache.bytes
    #expect(all >= 4 * Self.imageBytes)
    store.pixelCache.maximumBytes = all / 2
    #expect((1...all / 2).contains(store.pixelCache.bytes))
    #expect(try facts.count { try read(reader, $0).isKept } == 2)
  }

  @Test("the memory goes back a minute after the last stream, and with what is set aside")
  func givesBack() async throws {
    let store = try open(images: 10)
    try await store.fill("cat", 2)
    var facts = try await store.facts([1, 2])
    let reader = store.reader()
    for entry in facts + facts { _ = try read(reader, entry) }
    let both = store.pixelCache.bytes
    let now = ContinuousClock.now
    store.pixelCache.follow(streams: 1, now: now)
    store.pixelCache.follow(streams: 0, now: now + .seconds(59))
    #expect(store.pixelCache.bytes == both)
    await store.setAside(1, reason: "test")
    facts.removeFirst()
    #expect(store.pixelCache.bytes == both / 2)
    store.pixelCache.follow(streams: 0, now: now + .seconds(61))
    #expect(store.pixelCache.bytes == 0)
    #expect(try !read(reader, facts[0]).isKept)
  }
}
