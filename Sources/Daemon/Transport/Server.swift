import Synchronization
import Dispatch
import Foundation
import Logging
import Schema
import ServiceLifecycle
import Store
import Wire

/// Listens on the socket and keeps one session per connection.
actor Server: Service {
  private let context: DaemonContext
  private let listener: UnixSocket
  private let queue = DispatchQueue(label: "accept")
  private struct Client {
    let session: Session
    let connection: Connection
    let task: Task<Void, Never>
  }

  private var clients: [Int: Client] = [:]
  private var nextNumber = 1

  /// A server on a socket that already listens, so that a failure to listen is told at once.
  init(_ context: DaemonContext, listener: UnixSocket) {
    self.context = context
    self.listener = listener
  }

  /// Accepts until the daemon is asked to stop; then lets requests finish and closes.
  func run() async throws {
    try listener.setNonBlocking()
    let (arrivals, continuation) = AsyncStream.makeStream(of: UnixSocket.self)
    let source = DispatchSource.makeReadSource(
      fileDescriptor: listener.descriptor, queue: queue)
    let (listener, logger) = (listener, context.logger)
    source.setEventHandler {
      do throws(WireError) {
        while let socket = try listener.accept() { continuation.yield(socket) }
      } catch {
        // Out of descriptors: those who wait stay in the backlog until some are free.
        logger.warning("cannot accept", metadata: ["error": "\(error)"])
        usleep(100_000)
      }
    }
    source.resume()
    await withGracefulShutdownHandler {
      for await socket in arrivals { admit(socket) }
    } onGracefulShutdown: {
      continuation.finish()
    }
    source.cancel()
    await stop()
  }

  private func admit(_ socket: UnixSocket) {
    do throws(WireError) {
      let connection = try Connection(socket, limits: context.settings.limits)
      let user = connection.peer.user
      guard user == getuid() || user == 0 else {
        context.logger.warning("refused another user", metadata: ["uid": "\(user)"])
        context.counters.refusedConnections.wrappingAdd(1, ordering: .relaxed)
        return
      }
      let number = nextNumber
      nextNumber += 1
      let session = Session(number, connection, context)
      guard clients.count < context.settings.limits.maximumConnections else {
        context.counters.refusedConnections.wrappingAdd(1, ordering: .relaxed)
        Task {
          await session.refuse(
            DaemonError(
              .overQuota,
              "\(context.settings.limits.maximumConnections) clients are connected; close some",
              retryAfterMilliseconds: 1000))
        }
        return
      }
      context.figures.connectionCount.withLock { $0 += 1 }
      context.counters.acceptedConnections.wrappingAdd(1, ordering: .relaxed)
      let task = Task {
        await session.run()
        self.remove(number)
      }
      clients[number] = Client(session: session, connection: connection, task: task)
    } catch {
      context.logger.warning("a connection failed", metadata: ["error": "\(error)"])
    }
  }

  private func remove(_ number: Int) {
    guard clients.removeValue(forKey: number) != nil else { return }
    context.figures.connectionCount.withLock { $0 -= 1 }
  }

  /// Ends connections that have stood still for too long with work half done.
  ///
  /// - Returns: how many.
  func closeStalled() async -> Int {
    let now = ContinuousClock.now
    var count = 0
    for client in Array(clients.values) where await client.connection.closeIfStalled(now: now) {
      count += 1
    }
    return count
  }

  private func stop() async {
    context.signal.stop()
    await withTaskGroup(of: Void.self) { group in
      for client in clients.values {
        group.addTask {
          await client.session.stop()
          await client.task.value
        }
      }
    }
  }
}
