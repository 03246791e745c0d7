import Foundation
public import Schema

/// A blocking connection to the daemon: typed calls, one thread at a time.
///
///     let client = try DaemonClient.connect(socketPath: path, clientName: "example")
///     let counts = try client.call(Counts.self, .init()).result
///
/// Requests may be pipelined with ``send(_:_:body:)`` and ``receive(_:id:timeout:onProgress:)``;
/// answers are kept until they are asked for.
public final class DaemonClient {
  /// How long a call waits unless it says otherwise.
  public static let standardTimeout: Duration = .seconds(60)
  private static let readBytes = 1 << 18

  private let socket: UnixSocket
  private var decoder: FrameDecoder
  private var nextNumber: Int64 = 1
  private var answers: [RequestID: (frame: WireFrame, descriptors: [Int32])] = [:]
  /// Requests whose answers nobody wants.
  private var posted: Set<RequestID> = []
  /// Descriptors that came, until the frame that they ride on is complete.
  private var arrived: [Int32] = []

  /// What the daemon said of itself.
  public let greeting: Hello.Result

  /// Connects and agrees on the protocol.
  ///
  /// - Parameter clientName: shown in the daemon's log.
  /// - Throws: ``WireError``.
  public static func connect(
    socketPath: String, clientName: String, timeout: Duration = .seconds(10)
  ) throws(WireError) -> DaemonClient {
    let socket = try UnixSocket.connect(to: socketPath, timeout: timeout)
    let owner = try socket.peer().user
    guard owner == getuid() || owner == 0 else {
      throw WireError(
        .unreachable,
        "the daemon on \(socketPath) runs as user \(owner), you are \(getuid()); "
          + "name your own daemon's socket with --socket or GROUNDWELL_SOCKET")
    }
    return try DaemonClient(socket: socket, clientName: clientName, timeout: timeout)
  }

  /// Greets over a socket that is already connected.
  ///
  /// - Throws: ``WireError``.
  public init(socket: UnixSocket, clientName: String, timeout: Duration) throws(WireError) {
    self.socket = socket
    try socket.setNonBlocking()
    var decoder = FrameDecoder.forAnswers()
    let id = RequestID.number(0)
    let deadline = ContinuousClock.now + timeout
    let request = Request(id: id, method: Hello.name, params: Hello.Params(client: clientName))
    try Self.write(try Self.frame(request), to: socket, until: deadline)
    var arrived: [Int32] = []
    let answer = try Self.read(
      from: socket, into: &decoder, &arrived, until: deadline, waitingFor: "hello")
    greeting = try Self.result(Hello.self, of: answer)
    self.decoder = decoder
    self.arrived = arrived
  }

  deinit {
    arrived.forEach { close($0) }
    answers.values.forEach { $0.descriptors.forEach { close($0) } }
  }

  /// Sends a request and waits for its answer.
  ///
  /// - Parameter onProgress: called with what the daemon reports while the request waits.
  /// - Throws: ``WireError/Code/refused`` with the daemon's word, or another ``WireError``.
  public func call<M: Method>(
    _ method: M.Type, _ params: M.Params, body: [UInt8] = [],
    timeout: Duration = DaemonClient.standardTimeout, onProgress: (JobProgress) -> Void = { _ in }
  ) throws(WireError) -> (result: M.Result, body: [UInt8]) {
    let id = try send(method, params, body: body)
    return try receive(method, id: id, timeout: timeout, onProgress: onProgress)
  }

  /// Sends a request and returns at once.
  ///
  /// - Throws: ``WireError``.
  public func send<M: Method>(
    _ method: M.Type, _ params: M.Params, body: [UInt8] = []
  ) throws(WireError) -> RequestID {
    let id = RequestID.number(nextNumber)
    nextNumber += 1
    let frame = try Self.frame(Request(id: id, method: M.name, params: params), body: body)
    try Self.write(frame, to: socket, until: .now + Self.standardTimeout)
    return id
  }

  /// Sends a request whose answer does not matter.
  ///
  /// - Throws: ``WireError`` when it cannot be sent.
  public func post<M: Method>(_ method: M.Type, _ params: M.Params) throws(WireError) {
    posted.insert(try send(method, params))
  }

  /// Waits for the answer to a request.
  ///
  /// - Throws: ``WireError/Code/refused`` with the daemon's word, or another ``WireError``.
  public func receive<M: Method>(
    _ method: M.Type, id: RequestID, timeout: Duration = DaemonClient.standardTimeout,
    onProgress: (JobProgress) -> Void = { _ in }
  ) throws(WireError) -> (result: M.Result, body: [UInt8]) {
    let answer = try receiveWithDescriptors(
      method, id: id, timeout: timeout, onProgress: onProgress)
    answer.descriptors.forEach { close($0) }
    return (answer.result, answer.body)
  }

  /// Waits for the answer to a request; the caller owns the descriptors that came with it.
  ///
  /// - Throws: ``WireError/Code/refused`` with the daemon's word, or another ``WireError``.
  public func receiveWithDescriptors<M: Method>(
    _ method: M.Type, id: RequestID, timeout: Duration = DaemonClient.standardTimeout,
    onProgress: (JobProgress) -> Void = { _ in }
  ) throws(WireError) -> (result: M.Result, body: [UInt8], descriptors: [Int32]) {
    let deadline = ContinuousClock.now + timeout
    while true {
      if let (frame, descriptors) = answers.removeValue(forKey: id) {
        do throws(WireError) {
          return (try Self.result(method, of: frame), frame.body, descriptors)
        } catch {
          descriptors.forEach { close($0) }
          throw error
        }
      }
      let frame = try Self.read(
        from: socket, into: &decoder, &arrived, until: deadline, waitingFor: M.name)
      let descriptors = try takeDescriptors(of: frame)
      let head = try Self.decode(ResponseHead.self, frame)
      if let answered = head.id {
        if posted.remove(answered) == nil {
          answers[answered] = (frame, descriptors)
        } else {
          descriptors.forEach { close($0) }
        }
      } else if head.method == Methods.progressName {
        onProgress(try Self.decode(RequestParams<JobProgress>.self, frame).params.orThrow())
      } else if let error = head.error {
        throw Self.refused(error)
      }
    }
  }

  /// The descriptors that ride on a frame, out of those that came.
  private func takeDescriptors(of frame: WireFrame) throws(WireError) -> [Int32] {
    guard frame.descriptorCount <= arrived.count else {
      throw WireError(
        .badProtocol,
        "a frame announces \(frame.descriptorCount) descriptors, \(arrived.count) came")
    }
    let taken = Array(arrived.prefix(frame.descriptorCount))
    arrived.removeFirst(taken.count)
    if !decoder.isMidFrame {
      // No frame has begun that they could belong to.
      arrived.forEach { close($0) }
      arrived = []
    }
    return taken
  }

  /// Whether the daemon has closed the connection; answers at once.
  public var isClosedByPeer: Bool {
    guard socket.wait(until: .now) else { return false }
    do {
      switch try socket.receive(maximumBytes: Self.readBytes) {
      case .end: return true
      case .nothing: return false
      case .bytes(let bytes, let descriptors, _):
        arrived += descriptors
        decoder.append(bytes)
        return false
      }
    } catch {
      return true
    }
  }

  private static func frame(
    _ message: some Encodable, body: [UInt8] = []
  ) throws(WireError) -> WireFrame {
    do {
      return WireFrame(json: try JSONText.encode(message), body: body)
    } catch {
      throw WireError(.badProtocol, "cannot write a request: \(error)", cause: error)
    }
  }

  private static func decode<Value: Decodable>(
    _ type: Value.Type, _ frame: WireFrame
  ) throws(WireError) -> Value {
    do {
      return try JSONText.decode(type, from: frame.json)
    } catch {
      throw WireError(.badProtocol, "cannot read the daemon's answer: \(error)", cause: error)
    }
  }

  private static func result<M: Method>(
    _ method: M.Type, of frame: WireFrame
  ) throws(WireError) -> M.Result {
    if let error = try decode(ResponseHead.self, frame).error { throw refused(error) }
    return try decode(Response<M.Result>.self, frame).result
  }

  private static func refused(_ error: ErrorObject) -> WireError {
    WireError(.refused, error.message, word: ErrorWord(rawValue: error.data.word))
  }

  private static func write(
    _ frame: WireFrame, to socket: UnixSocket, until deadline: ContinuousClock.Instant
  ) throws(WireError) {
    // The kernel copies anyway; one buffer keeps header and JSON in one packet.
    let bytes = frame.bytes
    var sent = 0
    while sent < bytes.count {
      guard socket.wait(forWriting: true, until: deadline) else {
        throw WireError(.timedOut, "the daemon does not take a request of \(bytes.count) bytes")
      }
      sent += try socket.send(bytes[sent...])
    }
  }

  private static func read(
    from socket: UnixSocket, into decoder: inout FrameDecoder, _ arrived: inout [Int32],
    until deadline: ContinuousClock.Instant, waitingFor what: String
  ) throws(WireError) -> WireFrame {
    while true {
      do throws(SchemaError) {
        if let frame = try decoder.next() { return frame }
      } catch {
        throw WireError(.badProtocol, "the daemon sent a broken frame: \(error)", cause: error)
      }
      guard socket.wait(until: deadline) else {
        throw WireError(.timedOut, "no answer to '\(what)' in time")
      }
      switch try socket.receive(maximumBytes: max(readBytes, decoder.missingBytes)) {
      case .nothing: continue
      case .end: throw WireError(.closed, "the daemon closed the connection")
      case .bytes(let bytes, let descriptors, _):
        arrived += descriptors
        decoder.append(bytes)
      }
    }
  }
}

extension Optional where Wrapped == JobProgress {
  fileprivate func orThrow() throws(WireError) -> JobProgress {
    guard let self else {
      throw WireError(.badProtocol, "the daemon sent a progress report without contents")
    }
    return self
  }
}
