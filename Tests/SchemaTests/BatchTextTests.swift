import Foundation
import Schema
import Testing

@Suite("Answers that are written by hand")
struct BatchTextTests {
  private static func results() throws -> [BatchGet.Result] {
    [
      BatchGet.exampleResult,
      BatchGet.Result(
        k: 0,
        token: ResumeToken(
          store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", snapshot: 9, policy: .natural, seed: 0,
          k: 1), prompts: [], epochs: [], thin: []),
      BatchGet.Result(
        k: 1 << 40,
        token: ResumeToken(
          store: "x", snapshot: 1, policy: .weights, seed: 3, k: 2, edges: ["a b": [[0, 3]]]),
        prompts: [
          "a \"quoted\" cat\\dog", "a/b", "tab\there", "line\nbreak", "é 猫 🦄", "\u{7F}\u{1}", "",
        ], epochs: [0, 0, 12, 12, 0, -1, 1 << 53],
        thin: [try CategoryName("potted plant"), try CategoryName("cat")],
        slot: BatchSlot(slot: 0, capacityBytes: 1, bytes: 1, descriptor: false),
        waits: BatchWaits(thinUs: 1, quotaUs: 2, diskUs: 3, decodeUs: 4)),
    ]
  }

  @Test("the hand-written text is what the general encoder writes, whatever is in it")
  func isTheSameText() throws {
    for result in try Self.results() {
      for id in [RequestID.number(7), .text("a\"b/ü")] {
        let expected = try JSONText.encode(Response(id: id, result: result))
        #expect(
          String(decoding: try result.responseText(id: id), as: UTF8.self)
            == String(decoding: expected, as: UTF8.self))
      }
    }
  }

  @Test("so is the answer to an import")
  func importsHaveTheSameText() throws {
    let outcomes = [
      TripletImport.Outcome(triplet: 17, duplicate: false),
      TripletImport.Outcome(triplet: .max, duplicate: true),
    ]
    for result in (0...2).map({ TripletImport.Result(outcomes: Array(outcomes.prefix($0))) }) {
      for id in [RequestID.number(7), .text("a\"b/ü")] {
        let expected = try JSONText.encode(Response(id: id, result: result))
        #expect(
          String(decoding: try result.responseText(id: id), as: UTF8.self)
            == String(decoding: expected, as: UTF8.self))
      }
    }
  }
}
