/// How fast a count rises, over the last seconds.
package struct RateMeter: Sendable {
  /// How far back it looks.
  package static let window: Duration = .seconds(15)
  /// No rate is told before this much time has gone by.
  package static let shortest: Duration = .milliseconds(500)

  private var samples: [(instant: ContinuousClock.Instant, count: Int)] = []

  /// A meter that has seen nothing.
  package init() {}

  /// Takes note of a count.
  package mutating func add(_ count: Int, at instant: ContinuousClock.Instant) {
    samples.append((instant, count))
    // One sample older than the window stays, so that a slow count has a rate as well.
    while samples.count > 2, samples[1].instant.duration(to: instant) > Self.window {
      samples.removeFirst()
    }
  }

  /// Counts per second; nil as long as it is unknown.
  package var perSecond: Double? {
    guard let first = samples.first, let last = samples.last else { return nil }
    let span = first.instant.duration(to: last.instant)
    guard span >= Self.shortest else { return nil }
    return Double(last.count - first.count) / (span / .seconds(1))
  }
}
