import ServiceLifecycle

/// A service that does something again and again until the daemon stops.
protocol PeriodicService: Service {
  /// The pause before each time.
  static var interval: Duration { get }
  /// What it does.
  func tick() async
}

extension PeriodicService {
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
}
