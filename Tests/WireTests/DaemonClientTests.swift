import Foundation
import Schema
import Synchronization
import Testing
import Wire

/// The blocking client against a peer that does as a test says.
@Suite struct DaemonClientTests {
  private static let counts = Counts.exampleResult

  /// The error of one call.
  private func failure(
    of client: DaemonClient, timeout: Duration = .seconds(5)
  ) -> WireError? {
    #expect(throws: WireError.self) {
      _ = try client.call(Counts.self, Counts.Params(), timeout: timeout)
    }
  }

  @Test("the greeting names the client and keeps what the daemon said")
  func greeting() throws {
    let client = try ScriptedPeer.ungreeted { peer in
      let head = try peer.request()
      guard head.method == "hello", head.id == .number(0) else { return peer.hangUp() }
      try peer.answer(head.id, Hello.exampleResult)
    }
    #expect(client.greeting == Hello.exampleResult)
  }

  @Test("a daemon that speaks no common protocol is refused with its word")
  func noCommonProtocol() {
    let error = #expect(throws: WireError.self) {
      _ = try ScriptedPeer.ungreeted { peer in
        let refusal = ErrorObject(.protocolUnsupported, "this daemon speaks protocol 2")
        let head = try peer.request()
        let answer = ErrorResponse(id: head.id, error: refusal)
        try peer.send(WireFrame(json: JSONText.encode(answer)).bytes)
      }
    }
    #expect(error?.code == .refused)
    #expect(error?.word == .protocolUnsupported)
  }

  @Test("a peer that never greets is given up at the deadline")
  func silentGreeting() {
    let error = #expect(throws: WireError.self) {
      _ = try ScriptedPeer.ungreeted(timeout: .milliseconds(50)) { peer in
        _ = try peer.request()
        _ = try peer.request()
      }
    }
    #expect(error?.code == .timedOut)
    #expect(error?.message == "no answer to 'hello' in time")
  }

  @Test("an answer that drips in byte by byte is the same answer")
  func dripFed() throws {
    let body = [UInt8](0..<100)
    let client = try ScriptedPeer.client { peer in
      let id = try peer.request().id
      for byte in try peer.frame(id, Self.counts, body: body) { try peer.send([byte]) }
    }
    let answer = try client.call(Counts.self, Counts.Params())
    #expect(answer.result == Self.counts)
    #expect(answer.body == body)
  }

  @Test("answers in another order go to the requests that they belong to")
  func outOfOrder() throws {
    let client = try ScriptedPeer.client { peer in
      let ids = [try peer.request().id, try peer.request().id, try peer.request().id]
      for index in [2, 0, 1] {
        var counts = Self.counts
        counts.snapshot = Int64(index)
        try peer.answer(ids[index], counts)
      }
    }
    let ids = try (0..<3).map { _ in try client.send(Counts.self, Counts.Params()) }
    #expect(Set(ids).count == 3)
    for (index, id) in ids.enumerated() {
      #expect(try client.receive(Counts.self, id: id).result.snapshot == Int64(index))
    }
  }

  @Test("two answers in one packet are two answers")
  func together() throws {
    let client = try ScriptedPeer.client { peer in
      let first = try peer.request().id
      let second = try peer.request().id
      try peer.send(peer.frame(first, Empty()) + peer.frame(second, Self.counts))
    }
    let ping = try client.send(Ping.self, Empty())
    let counts = try client.send(Counts.self, Counts.Params())
    _ = try client.receive(Ping.self, id: ping)
    #expect(try client.receive(Counts.self, id: counts).result == Self.counts)
  }

  @Test("progress is reported before the answer, in order")
  func progress() throws {
    let client = try ScriptedPeer.client { peer in
      let id = try peer.request().id
      for done in 1...3 {
        var job = JobList.exampleResult.jobs[0]
        job.done = done
        let report = JobProgress(request: id ?? .number(0), jobs: [job])
        let notification = Request(id: nil, method: Methods.progressName, params: report)
        try peer.send(WireFrame(json: JSONText.encode(notification)).bytes)
      }
      try peer.answer(id, JobWait.exampleResult)
    }
    var seen: [Int] = []
    let answer = try client.call(JobWait.self, JobWait.exampleParams) { progress in
      seen += progress.jobs.map(\.done)
    }
    #expect(seen == [1, 2, 3])
    #expect(answer.result == JobWait.exampleResult)
  }

  @Test("a notification that nobody knows is passed over")
  func unknownNotification() throws {
    let client = try ScriptedPeer.client { peer in
      let id = try peer.request().id
      try peer.send(json: #"{"jsonrpc":"2.0","method":"weather","params":{"rain":true}}"#)
      try peer.answer(id, Self.counts)
    }
    #expect(try client.call(Counts.self, Counts.Params()).result == Self.counts)
  }

  @Test("every word of the protocol arrives with its sentence", arguments: ErrorWord.allCases)
  func errorWords(word: ErrorWord) throws {
    let client = try ScriptedPeer.client { peer in
      let answer = ErrorResponse(id: try peer.request().id, error: ErrorObject(word, "no"))
      try peer.send(WireFrame(json: JSONText.encode(answer)).bytes)
      try peer.answer(peer.request().id, Self.counts)
    }
    let error = failure(of: client)
    #expect(error?.code == .refused)
    #expect(error?.word == word)
    #expect(error?.message == "no")
    #expect(try client.call(Counts.self, Counts.Params()).result == Self.counts)
  }

  @Test("a word of a later protocol is a refusal without a word")
  func laterWord() throws {
    let client = try ScriptedPeer.client { peer in
      _ = try peer.request()
      try peer.send(
        json: """
          {"jsonrpc":"2.0","id":1,"error":{"code":-32999,"message":"tired",\
          "data":{"word":"tired"}}}
          """)
    }
    let error = failure(of: client)
    #expect(error?.code == .refused)
    #expect(error?.word == nil)
    #expect(error?.message == "tired")
  }

  @Test("an error without an id ends the call that waits")
  func errorWithoutID() throws {
    let client = try ScriptedPeer.client { peer in
      _ = try peer.request()
      let answer = ErrorResponse(id: nil, error: ErrorObject(.badFrame, "frame flags 7"))
      try peer.send(WireFrame(json: JSONText.encode(answer)).bytes)
    }
    #expect(failure(of: client)?.word == .badFrame)
  }

  @Test("a connection that ends within a frame is closed, not half an answer")
  func closedMidFrame() throws {
    let client = try ScriptedPeer.client { peer in
      let bytes = try peer.frame(peer.request().id, Self.counts)
      try peer.send(Array(bytes.dropLast()))
      peer.hangUp()
    }
    let error = failure(of: client)
    #expect(error?.code == .closed)
    #expect(error?.message == "the daemon closed the connection")
  }

  @Test("a frame above the limits is refused before its body is waited for")
  func oversize() throws {
    let limit = Limits.standard.maximumBatchBytes
    let client = try ScriptedPeer.client { peer in
      _ = try peer.request()
      try peer.send(FrameHeader(jsonBytes: 2, bodyBytes: limit + 1, descriptorCount: 0).bytes)
    }
    let error = failure(of: client)
    #expect(error?.code == .badProtocol)
    #expect(
      error?.message.contains(
        "frame announces a body of \(limit + 1) bytes; at most \(limit)") == true)
  }

  @Test(
    "what is no frame, no JSON, or another answer breaks the protocol, by name",
    arguments: [
      ("HTTP/1.1 200 OK\r\n\r\n", false, "the daemon sent a broken frame: "),
      ("{\"jsonrpc\":", true, "cannot read the daemon's answer: "),
      (String(repeating: "[", count: 64), true, "nests deeper than 32 levels"),
      ("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"snapshot\":\"x\"}}", true, "result.snapshot"),
      ("{\"jsonrpc\":\"2.0\",\"id\":1}", true, "result is missing"),
      ("{\"jsonrpc\":\"2.0\",\"method\":\"progress\"}", true, "without contents"),
    ])
  func broken(text: String, isFramed: Bool, message: String) throws {
    let client = try ScriptedPeer.client { peer in
      _ = try peer.request()
      if isFramed { try peer.send(json: text) } else { try peer.send(Array(text.utf8)) }
    }
    let error = failure(of: client)
    #expect(error?.code == .badProtocol)
    #expect(error?.message.contains(message) == true)
  }

  @Test("an answer that comes too late neither ends the connection nor the next call")
  func lateAnswer() throws {
    let isGivenUp = DispatchSemaphore(value: 0)
    let client = try ScriptedPeer.client { peer in
      let late = try peer.request().id
      isGivenUp.wait()
      var counts = Self.counts
      counts.snapshot = -1
      try peer.answer(late, counts)
      try peer.answer(peer.request().id, Self.counts)
    }
    let start = ContinuousClock.now
    let error = failure(of: client, timeout: .milliseconds(40))
    #expect(error?.code == .timedOut)
    #expect(error?.message == "no answer to 'counts' in time")
    #expect(start.duration(to: .now) >= .milliseconds(40))
    isGivenUp.signal()
    #expect(try client.call(Counts.self, Counts.Params()).result == Self.counts)
  }

  @Test("half a frame that never ends is given up at the deadline")
  func stalled() throws {
    let isOver = DispatchSemaphore(value: 0)
    let client = try ScriptedPeer.client { peer in
      let bytes = try peer.frame(peer.request().id, Self.counts)
      try peer.send(Array(bytes.prefix(20)))
      isOver.wait()
    }
    #expect(failure(of: client, timeout: .milliseconds(40))?.code == .timedOut)
    isOver.signal()
  }

  @Test("descriptors that nobody asked for are closed")
  func uninvitedDescriptors() throws {
    let pipe = try ClosingPipe()
    let client = try ScriptedPeer.client { peer in
      let bytes = try peer.frame(peer.request().id, Self.counts)
      peer.send(bytes, descriptors: [pipe.writing, pipe.writing])
    }
    #expect(try client.call(Counts.self, Counts.Params()).result == Self.counts)
    close(pipe.writing)
    #expect(pipe.isFinished())
  }

  @Test("the client notices that the daemon has gone, and only then")
  func closedByPeer() throws {
    let mayGo = DispatchSemaphore(value: 0)
    let hasGone = DispatchSemaphore(value: 0)
    let client = try ScriptedPeer.client { peer in
      mayGo.wait()
      peer.hangUp()
      hasGone.signal()
    }
    #expect(!client.isClosedByPeer)
    mayGo.signal()
    hasGone.wait()
    #expect(client.isClosedByPeer)
    #expect(failure(of: client)?.code == .closed)
  }
}
