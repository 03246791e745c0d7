import Foundation
import Schema
import Synchronization
import Wire

/// One client's socket: bytes in, messages out, and the other way round.
///
/// Speaks frames, or lines of JSON when the first byte is `{`. A client that breaks the layout
/// loses its connection; one that does not read its answers is not read from, and loses it after
/// ``Limits/stallSeconds``.
actor Connection {
  /// What a connection tells its owner.
  enum Event: Sendable {
    /// A whole message; `body` is empty on a line.
    case message(json: [UInt8], body: [UInt8])
    /// The layout was broken; the connection closes once the answer is sent.
    case broken(SchemaError)
    /// A client that speaks lines will send no more, and still reads its answers.
    case ended
    /// Over; nothing follows.
    case closed
  }

  /// How a client speaks: known from its first byte on.
  private enum Language: UInt8, AtomicRepresentable { case unknown, frames, lines }

  /// Messages that were handed on and are not yet dealt with, and their bytes.
  private struct InFlight {
    var messages = 0
    var bytes = 0
  }

  private static let readBytes = 1 << 15
  /// Bytes that one connection sends before it is the turn of the others on its loop.
  private static let turnBytes = 1 << 20
  /// How long a connection that is over waits for the other side to notice.
  private static let lingerTime: Duration = .seconds(1)

  private let loop: EventLoop
  /// The thread that waits for this socket.
  nonisolated var unownedExecutor: UnownedSerialExecutor {
    // Safe: a loop lives as long as the process.
    unsafe loop.asUnownedSerialExecutor()
  }

  /// Who is at the other end.
  nonisolated let peer: PeerCredentials
  private let socket: UnixSocket
  private let limits: Limits
  /// Takes events, on the connection's loop.
  private var onEvent: (@Sendable (Event) -> Void)?
  private var decoder: FrameDecoder
  private var line: [UInt8] = []
  private let language = Atomic(Language.unknown)
  /// What of the output does not fit the socket at the moment.
  private var waitsUntilWritable = false
  /// Nothing more is wanted from this client.
  private var isReadOver = false
  private var inFlight = InFlight()
  private var outgoing: [OutgoingBytes] = []
  private var outgoingBytes = 0
  private var lastProgress = ContinuousClock.now
  private var isClosed = false
  private var closesWhenSent = false
  /// Everything is sent; what still comes is thrown away until the other side has read the end.
  private var isLingering = false

  /// A connection over `socket`; ``start(_:)`` begins to read.
  ///
  /// - Throws: ``WireError/Code/system`` when nobody knows who is at the other end.
  init(_ socket: UnixSocket, limits: Limits) throws(WireError) {
    try socket.setNonBlocking()
    peer = try socket.peer()
    self.socket = socket
    self.limits = limits
    loop = EventLoop.next()
    decoder = FrameDecoder(maximumBodyBytes: limits.maximumRequestBodyBytes, limits: limits)
  }

  /// Whether the client speaks lines of JSON, and not frames.
  nonisolated var speaksLines: Bool { language.load(ordering: .acquiring) == .lines }

  /// Begins to read, and tells what happens; the calls come on the connection's loop, the last one
  /// with ``Event/closed``.
  func start(_ onEvent: @escaping @Sendable (Event) -> Void) {
    self.onEvent = onEvent
    do throws(WireError) {
      // Kept alive until it is closed: the loop must not watch a descriptor that is another's.
      try loop.watch(socket.descriptor, for: .read) { [self] readiness in
        assumeIsolated { $0.ready(readiness) }
      }
    } catch {
      close()
    }
  }

  private func ready(_ readiness: EventLoop.Readiness) {
    if readiness.contains(.write) { writable() }
    if readiness.contains(.read) { readable() }
  }

  /// Sends a frame, or its JSON as a line.
  func send(_ frame: OutgoingFrame, thenClose: Bool = false) {
    guard !isClosed, !closesWhenSent else { return }
    closesWhenSent = thenClose
    if speaksLines {
      enqueue(OutgoingBytes(frame.frame.json + [UInt8(ascii: "\n")]))
    } else {
      frame.pieces.forEach(enqueue)
    }
    writable()
  }

  /// Ends the connection once everything is sent.
  func closeWhenSent() {
    closesWhenSent = true
    writable()
  }

  /// Ends the connection when it has stood still for too long with work half done.
  ///
  /// - Returns: whether it did.
  func closeIfStalled(now: ContinuousClock.Instant) -> Bool {
    let isWaiting = !outgoing.isEmpty || decoder.isMidFrame || !line.isEmpty
    guard isWaiting, !isClosed, now - lastProgress > .seconds(limits.stallSeconds) else {
      return false
    }
    close()
    return true
  }

  /// Ends the connection.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    loop.ignore(socket.descriptor)
    socket.shutdown()
    outgoing = []
    onEvent?(.closed)
    onEvent = nil
  }

  private func readable() {
    guard !isClosed else { return }
    do throws(WireError) {
      let wanted = max(Self.readBytes, min(decoder.missingBytes, 1 << 20))
      switch try socket.receive(maximumBytes: wanted) {
      case .nothing: return
      case .end: end()
      case .bytes(let bytes, let descriptors, let lost):
        descriptors.forEach { Foundation.close($0) }
        guard !isLingering else { return }
        guard descriptors.isEmpty, !lost else {
          return fail(SchemaError(.badFrame, "a descriptor came where none is expected"))
        }
        lastProgress = .now
        if language.load(ordering: .relaxed) == .unknown {
          language.store(
            bytes.first == UInt8(ascii: "{") ? .lines : .frames, ordering: .releasing)
        }
        if speaksLines { takeLines(bytes) } else { takeFrames(bytes) }
      }
    } catch {
      close()
    }
  }

  /// A client of frames that sends no more is gone; one of lines (`socat`) may still listen.
  private func end() {
    guard speaksLines, !isLingering else { return close() }
    isReadOver = true
    updateInterest()
    onEvent?(.ended)
  }

  private func takeFrames(_ bytes: [UInt8]) {
    decoder.append(bytes)
    do throws(SchemaError) {
      while !isClosed, let frame = try decoder.next() {
        guard frame.descriptorCount == 0 else {
          throw SchemaError(
            .badFrame, "a frame announces \(frame.descriptorCount) descriptors; none is expected")
        }
        hand(on: frame.json, frame.body)
      }
    } catch {
      fail(error)
    }
  }

  private func takeLines(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      line += rest[..<end]
      rest = rest[(end + 1)...]
      guard line.count <= limits.maximumJsonBytes else { break }
      if !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) {
        hand(on: line, [])
      }
      line = []
    }
    line += rest
    if line.count > limits.maximumJsonBytes {
      fail(
        SchemaError(
          .badFrame, "a line of more than \(limits.maximumJsonBytes) bytes; at most that"))
    }
  }

  private func hand(on json: [UInt8], _ body: [UInt8]) {
    inFlight.messages += 1
    inFlight.bytes += json.count + body.count
    onEvent?(.message(json: json, body: body))
    updateInterest()
  }

  /// A message of so many bytes was dealt with.
  func finish(bytes: Int) {
    inFlight.messages -= 1
    inFlight.bytes -= bytes
    updateInterest()
  }

  /// Bytes of answers that the client has not read yet.
  var unreadBytes: Int { outgoingBytes }

  /// Reads no more; whoever answers closes behind the answer.
  private func fail(_ error: SchemaError) {
    isReadOver = true
    updateInterest()
    onEvent?(.broken(error))
  }

  private func enqueue(_ bytes: OutgoingBytes) {
    if outgoing.isEmpty { lastProgress = .now }
    outgoing.append(bytes)
    outgoingBytes += bytes.count
    updateInterest()
  }

  private func writable() {
    guard !isClosed else { return }
    var turnBytes = 0
    do throws(WireError) {
      while let first = outgoing.first {
        let sent = turnBytes < Self.turnBytes ? try first.send(over: socket) : 0
        turnBytes += sent
        guard sent > 0 else {
          waitsUntilWritable = true
          return updateInterest()
        }
        lastProgress = .now
        outgoingBytes -= sent
        if sent == first.count {
          outgoing.removeFirst()
        } else {
          outgoing[0].drop(sent)
        }
      }
      waitsUntilWritable = false
      if closesWhenSent { linger() }
      updateInterest()
    } catch {
      close()
    }
  }

  /// Ends the connection a little later: a client that is still sending would otherwise get an
  /// error from the system instead of the answer that says what was wrong.
  private func linger() {
    guard !isLingering else { return }
    isLingering = true
    socket.shutdownWriting()
    Task {
      try? await Task.sleep(for: Self.lingerTime)
      close()
    }
  }

  /// Reads only while the client reads its answers and its requests do not pile up.
  private func updateInterest() {
    guard !isClosed else { return }
    let isTooMuch =
      outgoingBytes > limits.maximumUnreadBytes
      || inFlight.bytes > limits.maximumRequestBodyBytes
      || inFlight.messages > 2 * limits.maximumOutstandingRequests
    var interest: EventLoop.Readiness = isLingering || !(isReadOver || isTooMuch) ? .read : []
    if waitsUntilWritable { interest.insert(.write) }
    do throws(WireError) {
      try loop.wait(for: interest, of: socket.descriptor)
    } catch {
      close()
    }
  }
}
