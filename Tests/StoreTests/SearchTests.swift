import Foundation
import Schema
import TestSupport
import Testing

@testable import Store

/// Full text of prompts: what is found, and that no text is malformed.
@Suite struct SearchTests {
  private static let prompts = [
    "a cat on grass", "grass, and a black-and-white cat", "Ein Café in Zürich",
    "a photograph of a dog on the grass", "photo: two cats", "\"quoted\" AND near(x)",
    "写真 の 猫",
  ]

  private func store(_ fixture: StoreFixture) async throws -> TripletStore {
    let store = try fixture.open()
    let items = try Self.prompts.enumerated().map { index, prompt in
      var triplet = try Triplet.sample(
        seed: UInt64(index + 1), categories: prompt.contains("dog") ? ["dog"] : ["cat"])
      triplet.prompt = prompt
      return (name: "\(index)", triplet: try EncodedTriplet(triplet))
    }
    _ = try await store.importItems(items, source: "s")
    return store
  }

  @Test(
    "words, phrases, beginnings and exclusions, newest first",
    arguments: [
      ("cat", [2, 1]), ("CAT grass", [2, 1]), ("cat on grass", [1]), ("\"cat on grass\"", [1]),
      ("\"grass cat\"", []), ("photo*", [5, 4]), ("photo", [5]), ("grass -dog", [2, 1]),
      ("cafe zurich", [3]), ("CAFÉ", [3]), ("black-and-white", [2]), ("grass -\"a cat\"", [4, 2]),
      ("AND", [6, 2]), ("near", [6]), ("猫", [7]), ("a* -cat -dog", [6]), ("\"cat on", [1]),
      ("nothing", []), ("cats\u{0}", [5]), ("on*grass", [4, 1]), ("-grass cat*", [5]),
    ])
  func finds(text: String, expected: [TripletID]) async throws {
    let fixture = try StoreFixture()
    let store = try await store(fixture)
    let found = try await store.search(.init(text: text)).triplets.map(\.triplet)
    #expect(found == expected)
  }

  @Test("prompts wait to be indexed together; a search and closing have them indexed")
  func waits() async throws {
    let fixture = try StoreFixture()
    var store = try await store(fixture)
    #expect(await store.promptsWaiting == Self.prompts.count)
    // As after a crash: what waits is known again at open.
    let copy = fixture.directory.file("copy")
    try FileManager.default.copyItem(atPath: fixture.path, toPath: copy)
    let other = try TripletStore(copy)
    #expect(await other.promptsWaiting == Self.prompts.count)
    #expect(try await other.search(.init(text: "cat")).triplets.map(\.triplet) == [2, 1])
    #expect(await other.promptsWaiting == 0)
    // A deep check looks at those that wait as well, and leaves them waiting.
    #expect(try await store.check(isDeep: true).problems == [])
    #expect(await store.promptsWaiting == Self.prompts.count)
    _ = try await store.search(.init(text: "cat"))
    let late = try (1...2).map {
      (name: "late \($0)", triplet: try EncodedTriplet(Triplet.sample(seed: UInt64(100 + $0))))
    }
    _ = try await store.importItems(late, source: "s")
    #expect(await store.promptsWaiting == 2)
    await store.close()
    store = try fixture.open()
    #expect(await store.promptsWaiting == 0)
    #expect(try await store.search(.init(text: "photograph")).triplets.count == 3)
    await store.close()
    await other.close()
  }

  @Test("a deep check while others write compares what is there at one moment")
  func checksWhileOthersWrite() async throws {
    let fixture = try StoreFixture()
    let store = try await store(fixture)
    let triplet = try EncodedTriplet(Triplet.sample(seed: 1))
    let writer = Task {
      for number in 0..<2000 where !Task.isCancelled {
        _ = try await store.importItems([("more \(number)", triplet)], source: "s")
      }
    }
    for _ in 0..<20 { #expect(try await store.check(isDeep: true).problems == []) }
    writer.cancel()
    try await writer.value
    #expect(try await store.check(isDeep: true).problems == [])
    await store.close()
  }

  @Test("of many prompts none is left waiting")
  func waitsForALimitedTime() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    let triplet = try EncodedTriplet(Triplet.sample(seed: 1))
    for call in 0..<5 {
      _ = try await store.importItems(
        (0..<60).map { (name: "\(call)/\($0)", triplet: triplet) }, source: "s")
    }
    #expect(await store.promptsWaiting == 0)
    _ = try await store.importItems([("one", triplet)], source: "s")
    #expect(await store.promptsWaiting == 1)
    #expect(try await store.check(isDeep: true).problems == [])
    await store.close()
  }

  @Test("triplets that go before or after their prompts are indexed leave a whole full text")
  func forgets() async throws {
    let fixture = try StoreFixture()
    let store = try await store(fixture)
    _ = try await store.search(.init(text: "cat"))
    let late = try (1...3).map {
      (name: "late \($0)", triplet: try EncodedTriplet(Triplet.sample(seed: UInt64(100 + $0))))
    }
    let ids = try await store.importItems(late, source: "s").map(\.triplet)
    _ = try await store.delete([1, ids[1]])
    #expect(try await store.compact(deadPercent: 1).forgotten == 2)
    #expect(await store.promptsWaiting > 0)
    #expect(try await store.check(isDeep: true).problems == [])
    let found = try await store.search(.init(text: "photograph")).triplets.map(\.triplet)
    #expect(found == [ids[2], ids[0], 4])
    _ = try await store.delete(ids)
    #expect(try await store.compact(deadPercent: 1).forgotten == 2)
    #expect(try await store.check(isDeep: true).problems == [])
    await store.close()
  }

  @Test("no text whatever is a syntax error", .tags(.slow))
  func neverMalformed() async throws {
    let fixture = try StoreFixture()
    let store = try await store(fixture)
    let pieces = [
      "cat", "\"", "*", "-", "(", ")", ":", "^", "{", "}", "+", "AND", "OR", "NOT", "NEAR", ",",
      " ", "'", ";", "\\", "\u{0}", "é", "\u{301}", "猫", "🐈", "prompt:", "%", "0", "rank",
      "\u{1E900}", "\u{FFFD}", "\n",
    ]
    var random = SeededGenerator(7)
    for _ in 0..<3000 {
      let count = Int.random(in: 1...8, using: &random)
      let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
      do throws(StoreError) {
        _ = try await store.search(.init(text: text))
      } catch {
        #expect(error.message.hasPrefix("text has no word to look for"), "'\(text)'")
      }
    }
  }

  @Test("pages, categories and limits; what is deleted or set aside is not found")
  func pages() async throws {
    let fixture = try StoreFixture()
    let store = try await store(fixture)
    let first = try await store.search(.init(text: "a", limit: 2))
    #expect(first.triplets.map(\.triplet) == [4, 2] && first.next == 2)
    let rest = try await store.search(.init(text: "a", after: first.next))
    #expect(rest.triplets.map(\.triplet) == [1] && rest.next == nil)
    let dogs = try await store.search(.init(text: "grass", category: CategoryName("dog")))
    #expect(dogs.triplets.map(\.triplet) == [4])
    _ = try await store.delete([4])
    await store.setAside(2, reason: "a test")
    #expect(try await store.search(.init(text: "grass")).triplets.map(\.triplet) == [1])
    _ = try await store.compact()
    #expect(try await store.search(.init(text: "grass")).triplets.map(\.triplet) == [1])
    #expect(try await store.check(isDeep: true).problems == [])
    func refusal(_ params: TripletSearch.Params) async -> String? {
      do {
        _ = try await store.search(params)
        return nil
      } catch {
        return error.message
      }
    }
    let long = String(repeating: "a", count: 1001)
    #expect(await refusal(.init(text: long)) == "text has 1001 bytes; at most 1000")
    #expect(await refusal(.init(text: String(long.dropLast()))) == nil)
    let many = Array(repeating: "a", count: 65).joined(separator: " ")
    #expect(await refusal(.init(text: many)) == "text has 65 words; at most 64")
    #expect(await refusal(.init(text: String(many.dropLast(2)))) == nil)
    #expect(await refusal(.init(text: "-cat"))?.hasPrefix("text has no word") == true)
    #expect(await refusal(.init(text: ""))?.hasPrefix("text has no word") == true)
    #expect(await refusal(.init(text: "a", limit: 1001)) == "limit is 1001; expected 1 to 1000")
  }
}
