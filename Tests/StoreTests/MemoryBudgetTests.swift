import Schema
import Testing

@testable import Store

@Suite("Memory for small triplets")
struct MemoryBudgetTests {
  @Test("no more is taken than there is, and what is given back can be taken again")
  func bounds() {
    let budget = MemoryBudget(bytes: 100)
    #expect(budget.reserve(60))
    #expect(!budget.reserve(41) && budget.bytes == 60)
    #expect(budget.reserve(40) && !budget.reserve(1))
    budget.release(60)
    #expect(budget.reserve(60) && budget.bytes == 100)
  }

  @Test("the bytes of a small triplet are counted while they are kept, and go when its pixels come")
  func countsWhatIsKept() async throws {
    let fixture = try StoreFixture()
    var options = StoreOptions()
    options.pixelCacheBytes = 1 << 20
    let store = try fixture.open(options)
    try await store.fill("cat", 2)
    var facts = try await store.facts([1, 2])
    var reader = store.reader()
    for entry in facts + facts {
      if !reader.loadFromMemory(entry, order: .planar) { try reader.load(entry) }
    }
    #expect(store.smallTriplets.bytes == facts.map(\.readBytes).reduce(0, +))
    var image = [UInt8](repeating: 0, count: 16 * 16 * 3)
    for _ in 0..<2 {
      #expect(reader.loadFromMemory(facts[0], order: .planar) && !reader.hasPixels)
      try unsafe image.withUnsafeMutableBytes {
        try unsafe reader.decodeImage(into: $0, order: .planar)
      }
    }
    #expect(reader.loadFromMemory(facts[0], order: .planar) && reader.hasPixels)
    // The other thread that may be reading them lets go as well.
    reader = store.reader()
    #expect(store.smallTriplets.bytes == facts[1].readBytes)
    await store.setAside(2, reason: "test")
    facts.removeLast()
    #expect(store.smallTriplets.bytes == 0)
  }
}
