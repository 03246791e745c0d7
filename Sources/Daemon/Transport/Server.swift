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
  private var sessions: [Int: (session: Session, task: Task<Void, Never>)] = [:]
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
      let (connection, events) = try Connection.make(socket, limits: context.settings.limits)
      let user = connection.peer.user
      guard user == getuid() || user == 0 else {
        context.logger.warning("refused another user", metadata: ["uid": "\(user)"])
        return
      }
      let number = nextNumber
      nextNumber += 1
      let session = Session(number, connection, context)
      guard sessions.count < context.settings.limits.maximumConnections else {
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
      let task = Task {
        await session.run(events)
        self.remove(number)
      }
      sessions[number] = (session, task)
    } catch {
      context.logger.warning("a connection failed", metadata: ["error": "\(error)"])
    }
  }

  private func remove(_ number: Int) {
    guard sessions.removeValue(forKey: number) != nil else { return }
    context.figures.connectionCount.withLock { $0 -= 1 }
  }

  /// Ends connections that have stood still for too long with work half done.
  func closeStalled() async {
    for (session, _) in Array(sessions.values) { await session.closeIfStalled() }
  }

  private func stop() async {
    // Safe: the path is passed for the duration of the call.
    unsafe unlink(context.settings.socketPath)
    context.signal.stop()
    for (session, task) in Array(sessions.values) {
      await session.stop()
      await task.value
    }
  }
}
