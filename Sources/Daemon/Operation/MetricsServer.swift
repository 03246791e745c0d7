import Foundation
import Logging
import Schema
import ServiceLifecycle
import Synchronization
import Wire

/// Serves figures over HTTP: one thread, a few connections, no way to change anything.
///
/// A client that is slow, or says too much, loses its connection; the daemon's own work never waits
/// for one.
struct MetricsServer: Service {
  /// Connections at a time; more wait to be accepted.
  static let maximumClients = 16
  /// How long a connection may last.
  static let clientLimit: Duration = .seconds(5)
  /// How long one that was answered waits for the other side to notice.
  private static let lingerLimit: Duration = .seconds(1)
  private static let pollMilliseconds: Int32 = 200

  let context: DaemonContext
  let listener: MetricsListener?

  func run() async throws {
    guard let listener else { return try await gracefulShutdown() }
    try listener.socket.setNonBlocking()
    let isOver = Flag()
    let loop = Loop(context, listener, isOver)
    let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
    let thread = Thread {
      loop.run()
      continuation.finish()
    }
    thread.name = "metrics"
    thread.start()
    await withGracefulShutdownHandler {
      for await _ in ended {}
    } onGracefulShutdown: {
      isOver.set()
    }
    listener.claim?.removeSocket()
  }

  /// Set once.
  private final class Flag: Sendable {
    private let state = Atomic<Bool>(false)
    var isSet: Bool { state.load(ordering: .acquiring) }
    func set() { state.store(true, ordering: .releasing) }
  }

  /// One connection.
  private struct Client {
    let socket: UnixSocket
    var deadline: ContinuousClock.Instant
    var request: [UInt8] = []
    /// What is left to send; nil while the request is read.
    var answer: ArraySlice<UInt8>?
    var isLingering = false
  }

  /// What the thread does; used by that thread alone.
  private final class Loop: @unchecked Sendable {
    private let context: DaemonContext
    private let listener: MetricsListener
    private let isOver: Flag
    private var clients: [Client] = []

    init(_ context: DaemonContext, _ listener: MetricsListener, _ isOver: Flag) {
      self.context = context
      self.listener = listener
      self.isOver = isOver
    }

    func run() {
      while !isOver.isSet {
        let isFull = clients.count >= MetricsServer.maximumClients
        var entries = clients.map { client in
          pollfd(
            fd: client.socket.descriptor,
            events: Int16(client.answer?.isEmpty == false ? POLLOUT : POLLIN), revents: 0)
        }
        entries.append(
          pollfd(fd: isFull ? -1 : listener.socket.descriptor, events: Int16(POLLIN), revents: 0))
        // Safe: as many entries are announced as given.
        _ = unsafe poll(&entries, nfds_t(entries.count), MetricsServer.pollMilliseconds)
        let now = ContinuousClock.now
        clients = zip(clients, entries).compactMap { client, entry in
          guard now < client.deadline else { return nil }
          return entry.revents == 0 ? client : step(client)
        }
        if entries[entries.count - 1].revents != 0 { accept(now) }
      }
    }

    private func accept(_ now: ContinuousClock.Instant) {
      do throws(WireError) {
        while clients.count < MetricsServer.maximumClients,
          let socket = try listener.socket.accept()
        {
          try socket.setNonBlocking()
          // A socket of our own is for its owner; who made another one has chosen its readers.
          if listener.claim != nil {
            let user = try socket.peer().user
            guard user == getuid() || user == 0 else { continue }
          }
          clients.append(Client(socket: socket, deadline: now + MetricsServer.clientLimit))
        }
      } catch {
        context.logger.warning("figures: cannot accept", metadata: ["error": "\(error)"])
        usleep(100_000)
      }
    }

    /// Reads or writes as far as possible; nil when the connection is over.
    private func step(_ client: Client) -> Client? {
      var client = client
      do throws(WireError) {
        if client.answer?.isEmpty == false { return try write(client) }
        switch try client.socket.receive(maximumBytes: MetricsRequest.maximumBytes) {
        case .nothing: return client
        case .end: return nil
        case .bytes(let bytes, let descriptors, _):
          descriptors.forEach { close($0) }
          if client.isLingering { return client }
          client.request += bytes
        }
        if let request = MetricsRequest(client.request) {
          let answer = request.answer(checksHost: listener.isPort) {
            MetricsReport(context: context).text()
          }
          client.answer = answer.bytes[...]
        } else if client.request.count >= MetricsRequest.maximumBytes {
          client.answer =
            MetricsRequest.Answer.refusal(
              "431 Request Header Fields Too Large",
              "a request of more than \(MetricsRequest.maximumBytes) bytes"
            ).bytes[...]
        }
        return client.answer == nil ? client : try write(client)
      } catch {
        return nil
      }
    }

    private func write(_ client: Client) throws(WireError) -> Client? {
      var client = client
      while let left = client.answer, !left.isEmpty {
        let sent = try client.socket.send(left)
        guard sent > 0 else { return client }
        client.answer = left.dropFirst(sent)
      }
      client.socket.shutdownWriting()
      client.isLingering = true
      client.deadline = min(client.deadline, .now + MetricsServer.lingerLimit)
      return client
    }
  }
}
