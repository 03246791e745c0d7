import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// What the daemon does with bytes that are not what they should be.
@Suite struct ProtocolTests {
  private let daemon: DaemonProcess
  private let bystander: DaemonClient

  init() throws {
    daemon = try DaemonProcess()
    bystander = try daemon.client()
  }

  /// The other client and the store are as before.
  private func expectUnharmed(_ location: SourceLocation = #_sourceLocation) throws {
    let check = try bystander.call(Check.self, .init(deep: true)).result
    #expect(check.problems == [], sourceLocation: location)
    #expect(check.triplets == 0, sourceLocation: location)
  }

  private static let hello =
    #"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"client":"raw","protocols":[1]}}"#

  @Test(
    "a broken header gets its reason and costs the connection",
    arguments: [
      ([0, 0x47] as [UInt8], "frame starts with 0x"),
      ([4, 9], "frame version 9; this side speaks 1"),
      ([5, 1], "frame flags 1 and reserved byte 0; expected 0 and 0"),
      ([7, 8], "frame flags 0 and reserved byte 8; expected 0 and 0"),
      ([6, 5], "frame announces 5 descriptors; at most 4"),
      ([6, 1], "a frame announces 1 descriptors; none is expected"),
      ([8, 0], "frame announces 0 bytes of JSON; expected 2 to 1048576"),
      ([11, 0x7F], "bytes of JSON; expected 2 to 1048576"),
      ([15, 0x7F], "frame announces a body of 2130706432 bytes; at most 67108864"),
    ])
  func brokenHeader(change: [UInt8], message: String) throws {
    let peer = try RawPeer(daemon.socket)
    var bytes = WireFrame(json: Array("{}".utf8)).bytes
    bytes[Int(change[0])] = change[1]
    if change == [0, 0x47] { bytes[0] = 0x48 }
    try peer.send(bytes)
    let error = try peer.error()
    #expect(error?.data.word == "bad_frame")
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "no answer")")
    #expect(try peer.frame() == nil)
    try expectUnharmed()
  }

  @Test("a frame that ends early costs nobody anything")
  func truncatedFrame() throws {
    let peer = try RawPeer(daemon.socket)
    try peer.send(Array(WireFrame(json: Array(Self.hello.utf8)).bytes.dropLast(3)))
    peer.close()
    try expectUnharmed()
  }

  @Test(
    "broken JSON and requests that are none get an answer, and the connection goes on",
    arguments: [
      ("{bad", "parse_error", "request: not JSON"),
      ("[]", "invalid_request", "request: the value is not an object of the expected form"),
      (#"{"id":1,"method":"ping"}"#, "invalid_request", "request: jsonrpc is missing"),
      (
        #"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "invalid_request",
        "jsonrpc is '1.0'; expected '2.0'"
      ),
      (
        #"{"jsonrpc":"2.0","id":1,"method":7}"#, "invalid_request",
        "request: method is not a string"
      ),
      (
        #"{"jsonrpc":"2.0","id":1,"method":"fly"}"#, "method_unknown",
        "no method 'fly'; schema/wire/openrpc.json lists them"
      ),
      (
        #"{"jsonrpc":"2.0","id":1,"method":"job.wait","params":{"jobs":[1]}}"#, "invalid_params",
        "params.wait_seconds is missing"
      ),
      (
        #"{"jsonrpc":"2.0","id":1,"method":"counts","params":{"minimum":1e300}}"#,
        "invalid_params", "params: a number is too large, or not the integer that it should be"
      ),
      (
        #"{"jsonrpc":"2.0","id":1,"method":"counts","params":{"minimum":"many"}}"#,
        "invalid_params", "params.minimum is not an integer"
      ),
    ])
  func brokenRequests(text: String, word: String, message: String) throws {
    let peer = try RawPeer(daemon.socket)
    try peer.sendFrame(Self.hello)
    #expect(try peer.error() == nil)
    // A long text is read on another thread.
    for space in ["", String(repeating: " ", count: 20_000)] {
      try peer.sendFrame(text + space)
      let error = try peer.error()
      #expect(error?.data.word == word)
      #expect(error?.message == message)
    }
    try peer.sendFrame(#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#)
    let answer = try #require(try peer.frame())
    #expect(
      String(decoding: answer.json, as: UTF8.self) == #"{"id":9,"jsonrpc":"2.0","result":{}}"#)
    try expectUnharmed()
  }

  @Test("JSON that nests too deeply is refused before it is parsed")
  func deepJSON() throws {
    let peer = try RawPeer(daemon.socket)
    try peer.sendFrame(Self.hello)
    _ = try peer.frame()
    let depth = 100_000
    try peer.sendFrame(
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
    #expect(try peer.error()?.message == "request: JSON nests deeper than 32 levels")
    try expectUnharmed()
  }

  @Test("an answer to what cannot be read has a null id, as JSON-RPC demands")
  func nullID() throws {
    let peer = try RawPeer(daemon.socket)
    try peer.send(Array("{bad\n".utf8))
    #expect(try peer.text()?.contains(#""id":null"#) == true)
  }

  @Test("hello comes first, with a protocol and capabilities in common")
  func helloFirst() throws {
    let peer = try RawPeer(daemon.socket)
    try peer.sendFrame(#"{"jsonrpc":"2.0","id":1,"method":"counts"}"#)
    var error = try peer.error()
    #expect(error?.data.word == "hello_required")
    #expect(error?.message == "'counts' came before 'hello'; greet first")
    try peer.sendFrame(
      #"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"client":"x","protocols":[7]}}"#)
    error = try peer.error()
    #expect(error?.data.word == "protocol_unsupported")
    try peer.sendFrame(
      #"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"client":"x","protocols":[1,7],"requires":["zstd"]}}"#
    )
    error = try peer.error()
    #expect(error?.data.word == "unsupported")
    #expect(
      error?.message
        == #"the client requires 'zstd'; this daemon offers ["inline", "memfd"]"#)
    try peer.sendFrame(Self.hello)
    #expect(try peer.error() == nil)
  }

  @Test("a line of JSON is a request, so that a person can ask by hand")
  func lines() throws {
    let peer = try RawPeer(daemon.socket)
    try peer.send(Array(#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#.utf8) + [10])
    #expect(try peer.text() == #"{"id":"a","jsonrpc":"2.0","result":{}}"# + "\n")
  }

  @Test("an answer with a body is refused on a connection of lines")
  func linesHaveNoBody() throws {
    try bystander.order("cat", 1)
    let id = try #require(try bystander.work().first)
    let peer = try RawPeer(daemon.socket)
    try peer.send(
      Array(#"{"jsonrpc":"2.0","id":1,"method":"triplet.get","params":{"triplet":\#(id)}}"#.utf8)
        + [10])
    #expect(try peer.text()?.contains("frames_required") == true)
  }

  @Test(
    "a client of lines that has asked its last question gets its whole answer",
    arguments: [0, 20_000])
  func halfClose(spaces: Int) throws {
    try bystander.order("cat", 200)
    _ = try bystander.work()
    let peer = try RawPeer(daemon.socket)
    try peer.send(
      Array(
        #"{"jsonrpc":"2.0","id":1,"method":"triplet.query","params":{"limit":1000}}"#.utf8)
        + Array(repeating: 0x20, count: spaces) + [10])
    peer.closeWriting()
    var text = ""
    while let more = try peer.text() { text += more }
    #expect(text.hasSuffix("}\n"))
    let answer = try JSONText.decode(
      Response<TripletQuery.Result>.self, from: Array(text.utf8.dropLast()))
    #expect(answer.result.triplets.count == 200)
  }

  @Test("a client that goes while its long request is being read costs nobody anything")
  func goesWhileRead() throws {
    let space = String(repeating: " ", count: 900_000)
    for _ in 0..<20 {
      let peer = try RawPeer(daemon.socket)
      try peer.send(
        Array(#"{"jsonrpc":"2.0","id":1,"method":"work.lease"\#(space)}"#.utf8) + [10])
      peer.close()
    }
    try expectUnharmed()
  }

  @Test("an id of null is answered, not swallowed")
  func nullRequestID() throws {
    let peer = try RawPeer(daemon.socket)
    try peer.send(Array(#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.utf8) + [10])
    #expect(try peer.text()?.contains("id is null; expected an integer or a string") == true)
  }

  @Test("an endless line is refused")
  func endlessLine() throws {
    let peer = try RawPeer(daemon.socket)
    try peer.send([UInt8(ascii: "{")] + Array(repeating: 0x20, count: 1 << 20))
    #expect(try peer.text()?.contains("a line of more than 1048576 bytes") == true)
    try expectUnharmed()
  }

  @Test("more unanswered requests than allowed are refused, the others are answered")
  func outstandingRequests() throws {
    let peer = try RawPeer(daemon.socket)
    try peer.sendFrame(Self.hello)
    _ = try peer.frame()
    let jobs = try bystander.order("cat", 1)
    for id in 0..<65 {
      try peer.sendFrame(
        #"{"jsonrpc":"2.0","id":\#(id),"method":"job.wait","params":{"jobs":\#(jobs),"wait_seconds":60}}"#
      )
    }
    var words: [String] = []
    while words.isEmpty {
      let frame = try #require(try peer.frame())
      if let error = try JSONText.decode(ResponseHead.self, from: frame.json).error {
        words.append(error.data.word)
        #expect(error.data.retryAfterMilliseconds == 10)
      }
    }
    #expect(words == ["over_quota"])
    #expect(try bystander.call(Counts.self, .init()).result.categories.count == 1)
  }
}
