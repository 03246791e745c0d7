import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// The Swift client of streams, against a real daemon.
@Suite struct BatchStreamTests {
  private let daemon: DaemonProcess
  private let params: StreamOpen.Params

  init() throws {
    daemon = try DaemonProcess()
    let client = try daemon.client()
    for (category, count) in [("cat", 5), ("dog", 3)] {
      try client.order(category, count)
      _ = try client.work()
    }
    params = StreamOpen.Params(all: true, batchSize: 6, imageSize: 16, seed: 5)
  }

  private func stream(_ delivery: String, from position: Int = 0) throws -> BatchStream {
    var params = params
    params.delivery = delivery
    return try BatchStream(
      socketPath: daemon.socket, clientName: "test", params, from: position)
  }

  private func bytes(_ batch: StreamBatch) -> [UInt8] {
    // Safe: the bytes are copied inside the closure.
    unsafe batch.withBytes { unsafe Array($0) }
  }

  @Test("batches follow each other, in slots and inline alike, and any can be asked for")
  func reads() throws {
    let (shared, inline) = (try stream("memfd"), try stream("inline"))
    for k in 0..<20 {
      let (one, other) = (try shared.next(), try inline.next())
      #expect(one.result.k == k && other.result.k == k)
      #expect(bytes(one) == bytes(other))
      #expect(one.categories.count == 6)
    }
    #expect(shared.position == 20 && shared.token.k == 20)
    let (one, other) = (try shared.get(3), try stream("memfd", from: 3).next())
    #expect(bytes(one) == bytes(other))
    #expect(shared.position == 20)
  }

  @Test("a batch stays what it is as long as it is held")
  func holds() throws {
    let stream = try stream("memfd")
    let (first, second) = (try stream.next(), try stream.next())
    let before = [bytes(first), bytes(second)]
    for _ in 0..<12 { _ = try stream.next() }
    #expect([bytes(first), bytes(second)] == before)
  }

  @Test("after the daemon was killed the stream goes on with the exact next batch")
  func reconnects() throws {
    let expected = try stream("inline")
    let wanted = try (0..<8).map { _ in bytes(try expected.next()) }
    let stream = try stream("memfd")
    var found: [[UInt8]] = []
    for k in 0..<8 {
      if k == 3 || k == 6 {
        daemon.killNow()
        try daemon.start()
      }
      found.append(bytes(try stream.next()))
    }
    #expect(found == wanted)
  }
}
