import Foundation
import Schema
import Synchronization
import Wire

/// A daemon that answers what a test tells it to, over a real socket in a folder of its own.
///
/// It keeps what it was asked, and stops when the last reference goes.
final class FakeDaemon: Sendable {
  /// What it sends for one request, in this order.
  enum Reply: Sendable {
    /// Answers with a result and perhaps a body.
    case result(any Encodable & Sendable, body: [UInt8] = [])
    /// Answers with an error.
    case error(ErrorWord, String)
    /// Reports how far the jobs are.
    case progress([JobInfo])
    /// Closes the connection.
    case hangUp
    /// Sends bytes that are no frame.
    case noise([UInt8])
  }

  /// One request as it came.
  struct Asked: Sendable {
    let method: String
    let json: [UInt8]

    /// Its parameters.
    func params<M: Schema.Method>(_ method: M.Type) throws -> M.Params {
      guard let params = try JSONText.decode(RequestParams<M.Params>.self, from: json).params
      else { throw SchemaError(.invalidArgument, "no params") }
      return params
    }
  }

  let socketPath: String
  private let folder: URL
  private let listener: UnixSocket
  private let seen = Mutex<[Asked]>([])

  /// Starts to answer with what `replies` says to each request but `hello`.
  init(_ replies: @escaping @Sendable (Asked) throws -> [Reply]) throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "gw-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    socketPath = folder.appendingPathComponent("daemon.sock").path
    listener = try UnixSocket.listen(at: socketPath)
    Thread.detachNewThread { [listener, weak self] in
      do {
        while let peer = try listener.accept() {
          try Self.serve(peer, replies) { asked in self?.seen.withLock { $0.append(asked) } }
        }
      } catch {
        // The listener was shut down, or a test hung up on purpose.
        return
      }
    }
  }

  deinit {
    listener.shutdown()
    do { try FileManager.default.removeItem(at: folder) } catch { return }
  }

  /// What it was asked besides `hello`.
  var asked: [Asked] { seen.withLock { $0 } }

  private static func serve(
    _ peer: UnixSocket, _ replies: (Asked) throws -> [Reply], _ note: (Asked) -> Void
  ) throws {
    var decoder = FrameDecoder(maximumBodyBytes: 1 << 24)
    while true {
      while let frame = try decoder.next() {
        let head = try JSONText.decode(RequestHead.self, from: frame.json)
        if head.method == Hello.name {
          try send([.result(Hello.exampleResult)], to: head.id, over: peer)
          continue
        }
        let asked = Asked(method: head.method, json: frame.json)
        note(asked)
        guard try send(replies(asked), to: head.id, over: peer) else { return }
      }
      guard case .bytes(let bytes, _, _) = try peer.receive(maximumBytes: 1 << 16) else { return }
      decoder.append(bytes)
    }
  }

  /// Whether the connection goes on.
  @discardableResult
  private static func send(
    _ replies: [Reply], to id: RequestID?, over peer: UnixSocket
  ) throws -> Bool {
    for reply in replies {
      switch reply {
      case .result(let result, let body):
        try write(WireFrame(json: response(result, to: id), body: body).bytes, to: peer)
      case .error(let word, let message):
        let answer = ErrorResponse(id: id, error: ErrorObject(word, message))
        try write(WireFrame(json: JSONText.encode(answer)).bytes, to: peer)
      case .progress(let jobs):
        let notification = Request(
          id: nil, method: Methods.progressName,
          params: JobProgress(request: id ?? .number(0), jobs: jobs))
        try write(WireFrame(json: JSONText.encode(notification)).bytes, to: peer)
      case .noise(let bytes): try write(bytes, to: peer)
      case .hangUp:
        peer.shutdown()
        return false
      }
    }
    return true
  }

  private static func response(
    _ result: any Encodable & Sendable, to id: RequestID?
  ) throws -> [UInt8] {
    let id = String(decoding: try JSONText.encode(id), as: UTF8.self)
    let text = String(decoding: try JSONText.encode(result), as: UTF8.self)
    return Array("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":\(text)}".utf8)
  }

  private static func write(_ bytes: [UInt8], to peer: UnixSocket) throws {
    var sent = 0
    while sent < bytes.count { sent += try peer.send(bytes[sent...]) }
  }
}
