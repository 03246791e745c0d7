import Schema
import Store
import Synchronization
import Testing

@testable import Daemon

/// What the daemon decides by how much there is to do.
@Suite struct LoadTests {
  @Test("images are encoded quickly while more than half of the threads work, and a bit after")
  func encodingLoad() async throws {
    struct Refused: Error {}
    let start = ContinuousClock.now
    let passed = Mutex(Duration.zero)
    for (threads, crowd) in [(1, 2), (2, 2), (8, 5)] {
      passed.withLock { $0 = .zero }
      let load = EncodingLoad(threadCount: threads) { start + passed.withLock { $0 } }
      @Sendable func nest(_ depth: Int) async {
        guard depth > 0 else { return }
        await load.counted { await nest(depth - 1) }
      }
      await nest(crowd - 1)
      #expect(load.care == .careful && !load.isBusy)
      await nest(crowd)
      #expect(load.care == .quick && !load.isBusy)
      passed.withLock { $0 = .milliseconds(19) }
      #expect(load.care == .quick)
      passed.withLock { $0 = .milliseconds(21) }
      #expect(load.care == .careful)
      for _ in 0..<5 {
        await #expect(throws: Refused.self) { try await load.counted { throw Refused() } }
      }
      #expect(load.care == .careful && !load.isBusy)
      await load.counted { #expect(load.isBusy) }
    }
  }

  @Test("a crowd with small images counts as one, and keeps no commit waiting")
  func smallImages() async {
    let start = ContinuousClock.now
    let load = EncodingLoad(threadCount: 2) { start }
    await load.countedSmall { #expect(load.care == .careful && !load.isBusy) }
    await load.countedSmall {
      await load.countedSmall { #expect(load.care == .quick && !load.isBusy) }
    }
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
