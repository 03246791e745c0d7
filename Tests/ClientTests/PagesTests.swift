import Schema
import Testing

@testable import Client

/// Long answers in pages.
@Suite struct PagesTests {
  /// Asks for triplets 1 to 2,500, or of a daemon that always says that there are more.
  private func ask(
    upTo limit: Int, isEndless: Bool = false
  ) throws -> (asked: [Int], found: [TripletID], next: TripletID?) {
    var asked: [Int] = []
    let example = try #require(TripletQuery.exampleResult.triplets.first)
    let answer = try Connection.pages(upTo: limit) { rows, after in
      asked.append(rows)
      guard !isEndless else { return ([], asked.count < 4 ? 7 : nil) }
      let first = (after ?? 0) + 1
      let last = min(first + TripletID(rows) - 1, 2500)
      let page = (first..<last + 1).map { id in
        var info = example
        info.triplet = id
        return info
      }
      return (page, last < 2500 ? last : nil)
    }
    return (asked, answer.triplets.map(\.triplet), answer.next)
  }

  @Test("pages follow each other until there is enough, or no more")
  func follows() throws {
    let some = try ask(upTo: 1200)
    #expect(some.asked == [1000, 200])
    #expect(some.found == Array(1...1200) && some.next == 1200)
    let all = try ask(upTo: 9000)
    #expect(all.asked == [1000, 1000, 1000])
    #expect(all.found == Array(1...2500) && all.next == nil)
  }

  @Test("a daemon that promises more and gives nothing is asked once")
  func ends() throws {
    let answer = try ask(upTo: 10, isEndless: true)
    #expect(answer.asked == [10] && answer.found == [] && answer.next == nil)
  }
}
