import Foundation
import Schema
import TestSupport
import Testing

@testable import Store

@Suite("What is remembered of triplets")
struct FactsTests {
  private let fixture: StoreFixture

  init() throws { fixture = try StoreFixture() }

  private func pixels(_ reader: TripletReader, _ facts: TripletFacts) throws -> [UInt8] {
    var image = [UInt8](repeating: 0, count: facts.width * facts.height * 3)
    try unsafe image.withUnsafeMutableBytes {
      try unsafe reader.decodeImage(into: $0, order: .planar)
    }
    return image
  }

  @Test("a small triplet is read twice from its pack, then stays in memory, with the same pixels")
  func keepsWhatIsReadAgain() async throws {
    let store = try fixture.open()
    try await store.fill("cat", 2)
    let facts = try await store.facts([1, 2])
    let reader = store.reader()
    #expect(!reader.loadFromMemory(facts[0], order: .planar))
    try reader.load(facts[0])
    let first = try pixels(reader, facts[0])
    #expect(!reader.loadFromMemory(facts[0], order: .planar))
    try reader.load(facts[0])
    #expect(reader.loadFromMemory(facts[0], order: .planar))
    #expect(try pixels(reader, facts[0]) == first)
    // Looked up again it is the same object, for other threads too.
    #expect(try await store.facts([1])[0] === facts[0])
    #expect(store.reader().loadFromMemory(facts[0], order: .planar))
    #expect(!reader.loadFromMemory(facts[1], order: .planar))
  }

  @Test("bytes that do not fit their checksum are never kept")
  func keepsNothingDamaged() async throws {
    do {
      let store = try fixture.open()
      try await store.fill("cat", 1)
    }
    var pack = try fixture.pack()
    pack[pack.count - 9] ^= 1
    try fixture.writePack(pack)
    let store = try fixture.open()
    let facts = try await store.facts([1])[0]
    let reader = store.reader()
    for _ in 0..<3 {
      #expect(throws: StoreError.self) { try reader.load(facts) }
      #expect(!reader.loadFromMemory(facts, order: .planar))
    }
    await store.setAside(1, reason: "test")
    await #expect(throws: StoreError.self) { try await store.facts([1]) }
  }

  @Test("the cache stays within its bytes and forgets what nobody uses")
  func evicts() throws {
    func facts(_ id: TripletID) throws -> TripletFacts {
      TripletFacts(
        triplet: id, width: 16, height: 16, prompt: String(repeating: "p", count: 700),
        isQuarantined: false,
        image: BlobPlace(
          kind: .image, ordinal: 0, pack: 1, offset: 64, storedBytes: 40_000, codec: .raw,
          checksum: 0), masks: [])
    }
    let entry = try facts(0).memoryBytes
    let cache = FactsCache(maximumBytes: 20 * entry)
    let moment = cache.find([]).moment
    for id in 0..<100 {
      cache.insert([try facts(TripletID(id))], readAt: moment)
      #expect(cache.find([0]).facts[0] != nil, "what is used all the time stays")
    }
    let kept = (0..<100).count { cache.find([TripletID($0)]).facts[0] != nil }
    #expect(kept <= 24)
    #expect(cache.find([99]).facts[0] != nil)
    cache.remove([99])
    #expect(cache.find([99]).facts[0] == nil)
    // What was read before a removal is not kept: it may be what was removed.
    cache.insert([try facts(99)], readAt: moment)
    #expect(cache.find([99]).facts[0] == nil)
  }
}
