import Store
import Logging
import ServiceLifecycle

/// Does what time asks for: leases that ran out, clients that stand still, waiters' deadlines.
struct Housekeeper: Service {
  /// How often it looks.
  static let interval: Duration = .milliseconds(250)

  let context: DaemonContext
  let server: Server

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do {
          try await Task.sleep(for: Self.interval)
        } catch {
          return  // Cancelled.
        }
        await tick()
      }
    }
  }

  private func tick() async {
    do {
      try await context.store.expireLeases()
    } catch {
      context.logger.error("old leases stay", metadata: ["error": "\(error)"])
    }
    await server.closeStalled()
    context.signal.notify()
  }
}
