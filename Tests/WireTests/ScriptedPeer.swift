import Foundation
import Schema
import Synchronization
import Wire

/// The daemon's end of a connection, moved by a test on a thread of its own.
final class ScriptedPeer: Sendable {
  private let socket: UnixSocket
  private let decoder = Mutex(FrameDecoder(maximumBodyBytes: 1 << 24))

  private init(socket: UnixSocket) { self.socket = socket }

  /// A greeted client whose peer then follows the script.
  static func client(
    timeout: Duration = .seconds(5), _ script: @escaping @Sendable (ScriptedPeer) throws -> Void
  ) throws -> DaemonClient {
    try ungreeted(timeout: timeout) { peer in
      try peer.answer(peer.request().id, Hello.exampleResult)
      try script(peer)
    }
  }

  /// A client whose peer follows the script from the first byte.
  static func ungreeted(
    timeout: Duration = .seconds(5), _ script: @escaping @Sendable (ScriptedPeer) throws -> Void
  ) throws -> DaemonClient {
    let (near, far) = try UnixSocket.pair()
    let peer = ScriptedPeer(socket: far)
    Thread.detachNewThread {
      // A client that hangs up early ends the script; the test sees it at the client.
      do { try script(peer) } catch { peer.hangUp() }
    }
    return try DaemonClient(socket: near, clientName: "test", timeout: timeout)
  }

  /// The next request.
  func request() throws -> RequestHead {
    while true {
      if let frame = try decoder.withLock({ try $0.next() }) {
        return try JSONText.decode(RequestHead.self, from: frame.json)
      }
      guard case .bytes(let bytes, _, _) = try socket.receive(maximumBytes: 1 << 16) else {
        throw SchemaError(.badFrame, "the client hung up")
      }
      decoder.withLock { $0.append(bytes) }
    }
  }

  /// The bytes of an answer.
  func frame(_ id: RequestID?, _ result: some Codable & Sendable, body: [UInt8] = []) throws
    -> [UInt8]
  {
    WireFrame(json: try JSONText.encode(Response(id: id, result: result)), body: body).bytes
  }

  /// Answers with a result.
  func answer(_ id: RequestID?, _ result: some Codable & Sendable) throws {
    try send(frame(id, result))
  }

  /// Sends JSON as one frame.
  func send(json: String) throws { try send(WireFrame(json: Array(json.utf8)).bytes) }

  /// Sends bytes as they are.
  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count { sent += try socket.send(bytes[sent...]) }
  }

  /// Sends bytes with descriptors.
  func send(_ bytes: [UInt8], descriptors: [Int32]) {
    _ = WireTests.send(bytes, descriptors: descriptors, over: socket)
  }

  /// Ends the connection.
  func hangUp() { socket.shutdown() }
}
