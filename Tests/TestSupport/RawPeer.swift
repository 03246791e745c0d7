public import Schema
import Wire

/// A client that sends whatever bytes a test wants.
public final class RawPeer {
  private let socket: UnixSocket
  private var decoder = FrameDecoder(maximumBodyBytes: Limits.standard.maximumBatchBytes)

  /// Connects without greeting.
  public init(_ path: String) throws { socket = try UnixSocket.connect(to: path) }

  /// Sends bytes as they are.
  public func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      _ = socket.wait(forWriting: true, until: .now + .seconds(5))
      sent += try socket.send(bytes[sent...])
    }
  }

  /// Sends a frame around a text.
  public func sendFrame(_ json: String, body: [UInt8] = []) throws {
    try send(WireFrame(json: Array(json.utf8), body: body).bytes)
  }

  /// The next frame, or nil at the end of the stream or after five seconds.
  public func frame() throws -> WireFrame? {
    while true {
      if let frame = try decoder.next() { return frame }
      guard socket.wait(until: .now + .seconds(5)),
        case .bytes(let bytes, _, _) = try socket.receive(maximumBytes: 1 << 16)
      else { return nil }
      decoder.append(bytes)
    }
  }

  /// The next bytes as text, or nil at the end of the stream or after five seconds.
  public func text() throws -> String? {
    guard socket.wait(until: .now + .seconds(5)),
      case .bytes(let bytes, _, _) = try socket.receive(maximumBytes: 1 << 16)
    else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The error that the next frame holds.
  public func error() throws -> ErrorObject? {
    try frame().flatMap { try JSONText.decode(ResponseHead.self, from: $0.json).error }
  }

  /// Ends both directions.
  public func close() { socket.shutdown() }
}
