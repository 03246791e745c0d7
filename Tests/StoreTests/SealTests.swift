import Foundation
import GRDB
import Schema
import TestSupport
import Testing

@testable import Store

/// P3 for the catalog: a changed row is found by its seal.
@Suite struct SealTests {
  @Test(
    "P3: any change of a row behind the store's back is found on read, reported and not served",
    arguments: [
      "UPDATE triplet SET prompt = 'a dog' WHERE id = 2",
      "UPDATE triplet SET seed = seed + 1 WHERE id = 2",
      "UPDATE triplet SET width = 17 WHERE id = 2",
      "UPDATE triplet SET guidance_scale = 1.5 WHERE id = 2",
      "UPDATE mask SET category = 1 WHERE triplet = 2 AND ordinal = 1",
      "UPDATE mask SET pixel_count = pixel_count + 1 WHERE triplet = 2 AND ordinal = 0",
      "DELETE FROM mask WHERE triplet = 2 AND ordinal = 1",
      "UPDATE triplet SET seal = seal + 1 WHERE id = 2",
    ])
  func findsChangedRow(_ change: String) async throws {
    let fixture = try StoreFixture()
    var store = try fixture.open()
    try await store.fill("cat", 3, with: ["dog"])
    await store.close()
    let queue = try DatabaseQueue(path: fixture.path + "/catalog.sqlite")
    try await queue.write { db in
      try db.execute(sql: "UPDATE mask SET instance = 9 WHERE triplet = 2 AND ordinal = 0")
      try db.execute(sql: "UPDATE mask SET instance = 0 WHERE triplet = 2 AND ordinal = 0")
      try db.execute(sql: change.replacing("category = 1", with: "category = 1, instance = 8"))
    }
    try queue.close()
    store = try fixture.open()
    let error = await #expect(throws: StoreError.self) { _ = try await store.triplet(2) }
    #expect(error?.code == .corrupt)
    #expect(error?.message.contains("triplet 2") == true)
    #expect(try await store.check(isDeep: false).quarantined == [2])
    let facts = await #expect(throws: StoreError.self) { _ = try await store.facts([1, 2]) }
    #expect(facts?.code == .corrupt)
    #expect(try await store.triplet(3).info.triplet == 3)
    #expect(try await store.facts([1, 3]).count == 2)
  }
}
