import Foundation
import Logging
import Schema
import ServiceLifecycle
import Store
import Synchronization
import Wire

/// Listens on the socket and keeps one session per connection.
actor Server: Service {
  private let context: DaemonContext
  private let listener: UnixSocket
  private let loop = EventLoop.next()
  /// The thread that waits for clients.
  nonisolated var unownedExecutor: UnownedSerialExecutor {
    // Safe: a loop lives as long as the process.
    unsafe loop.asUnownedSerialExecutor()
  }

  /// How long nobody is accepted when that has failed.
  private static let pauseTime: Duration = .milliseconds(100)
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
    try loop.watch(listener.descriptor, for: .read) { [weak self] _ in
      self?.assumeIsolated { $0.accept() }
    }
    // Cancelled or asked to stop: both end here.
    try? await gracefulShutdown()
    loop.ignore(listener.descriptor)
    await stop()
  }

  private func accept() {
    do throws(WireError) {
      while let socket = try listener.accept() { admit(socket) }
    } catch {
      // Out of descriptors: those who wait stay in the backlog until some are free.
      context.logger.warning("cannot accept", metadata: ["error": "\(error)"])
      pause()
    }
  }

  private func pause() {
    waitForArrivals(false)
    Task {
      try? await Task.sleep(for: Self.pauseTime)
      waitForArrivals(true)
    }
  }

  private func waitForArrivals(_ waits: Bool) {
    do throws(WireError) {
      try loop.wait(for: waits ? .read : [], of: listener.descriptor)
    } catch {
      context.logger.error("no more clients are accepted", metadata: ["error": "\(error)"])
    }
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
