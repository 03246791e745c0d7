import Schema
import Store
import Testing

@testable import Daemon

/// What the daemon decides by how much there is to do.
@Suite struct LoadTests {
  @Test("images are encoded quickly only while more than twice the threads wait")
  func encodingLoad() async throws {
    struct Refused: Error {}
    let load = EncodingLoad(threadCount: 1)
    #expect(load.care == .careful)
    await load.counted {
      await load.counted {
        #expect(load.care == .careful)
        await load.counted { #expect(load.care == .quick) }
        #expect(load.care == .careful)
      }
    }
    for _ in 0..<5 {
      await #expect(throws: Refused.self) { try await load.counted { throw Refused() } }
    }
    #expect(load.care == .careful)
  }

  @Test("the text of counts is kept until something changes or another minimum is asked for")
  func countsCache() throws {
    let cache = CountsCache()
    var counted = 0
    func text(_ generation: Int, _ minimum: Int) throws -> [UInt8] {
      try cache.text(generation: generation, minimum: minimum) {
        counted += 1
        return Counts.Result(snapshot: Int64(counted), triplets: 0, categories: [])
      }
    }
    let first = try text(1, 0)
    #expect(try text(1, 0) == first && counted == 1)
    let other = try text(1, 5)
    #expect(other != first && counted == 2)
    let changed = try text(2, 5)
    #expect(changed != other && counted == 3)
    #expect(throws: DaemonError.self) {
      try cache.text(generation: 3, minimum: 0) { throw DaemonError(.internalError, "no") }
    }
    #expect(try text(2, 5) == changed && counted == 3)
  }
}
