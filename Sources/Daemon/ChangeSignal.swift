import Synchronization

/// Wakes everybody who waits for something in the store to change, or for time to pass.
///
/// A wake-up carries nothing: whoever waits looks again. It comes behind every commit and from
/// the housekeeper several times a second, so that waiters can watch their deadlines.
final class ChangeSignal: Sendable {
  private struct State {
    var waiters: [Int: AsyncStream<Void>.Continuation] = [:]
    var nextNumber = 0
    var isStopping = false
  }

  private let state = Mutex(State())

  /// Wake-ups from now on, the first at once, until the daemon stops or the task is cancelled.
  func wakeUps() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let number = state.withLock { state -> Int? in
      guard !state.isStopping else { return nil }
      state.nextNumber += 1
      state.waiters[state.nextNumber] = continuation
      return state.nextNumber
    }
    guard let number else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [self] _ in
      _ = state.withLock { $0.waiters.removeValue(forKey: number) }
    }
    continuation.yield()
    return stream
  }

  /// Wakes everybody.
  func notify() {
    for waiter in state.withLock({ Array($0.waiters.values) }) { waiter.yield() }
  }

  /// Ends every wait, now and later.
  func stop() {
    let waiters = state.withLock { state in
      state.isStopping = true
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.finish() }
  }

  /// Whether the daemon is stopping.
  var isStopping: Bool { state.withLock { $0.isStopping } }
}
