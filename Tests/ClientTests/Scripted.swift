import Synchronization

/// Answers one after the other.
final class Steps<Element: Sendable>: Sendable {
  private let left: Mutex<[Element]>

  init(_ elements: [Element]) { left = Mutex(elements) }

  func next() -> Element? { left.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
}

/// A clock that moves on by the same step whenever it is read.
final class SteppingClock: Sendable {
  private let instant = Mutex(ContinuousClock.now)
  private let step: Duration

  init(step: Duration) { self.step = step }

  func now() -> ContinuousClock.Instant {
    instant.withLock { instant in
      defer { instant += step }
      return instant
    }
  }
}
