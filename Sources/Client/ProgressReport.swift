package import Schema

/// Turns reports about jobs into what standard error shows of them.
///
/// On a terminal one line is painted over and over; elsewhere a line comes every few seconds.
package struct ProgressReport: Sendable {
  /// Time between two lines of a log.
  package static let logInterval: Duration = .seconds(5)
  /// Time between two paintings of the moving line.
  package static let paintInterval: Duration = .milliseconds(100)
  private static let clearLine = "\r\u{1B}[K"

  private let columns: Int
  private let isMoving: Bool
  private var meter = RateMeter()
  private var lastShown: ContinuousClock.Instant?

  /// A report on a terminal of so many columns, or for a log.
  package init(isMoving: Bool, columns: Int, start: ContinuousClock.Instant) {
    self.isMoving = isMoving
    self.columns = columns
    // A log says nothing before its first interval is over; a terminal shows the bar at once.
    lastShown = isMoving ? nil : start
  }

  /// What to write about the jobs as they are now; nil when it is too early for more.
  package mutating func text(
    for jobs: [JobInfo], at instant: ContinuousClock.Instant
  ) -> String? {
    let bar = progress(jobs, at: instant)
    let interval = isMoving ? Self.paintInterval : Self.logInterval
    if let lastShown, lastShown.duration(to: instant) < interval { return nil }
    lastShown = instant
    return isMoving ? Self.clearLine + bar.rendered(columns: columns) : bar.sentence + "\n"
  }

  /// What to write when the wait is over: the last state, and the end of the moving line.
  package mutating func end(
    for jobs: [JobInfo], at instant: ContinuousClock.Instant
  ) -> String {
    let bar = progress(jobs, at: instant)
    return isMoving
      ? Self.clearLine + bar.rendered(columns: columns) + "\n" : bar.sentence + "\n"
  }

  private mutating func progress(
    _ jobs: [JobInfo], at instant: ContinuousClock.Instant
  ) -> ProgressBar {
    let done = jobs.reduce(0) { $0 + $1.done }
    meter.add(done, at: instant)
    return ProgressBar(
      done: done, failed: jobs.reduce(0) { $0 + $1.parked },
      total: jobs.reduce(0) { $0 + $1.items }, perSecond: meter.perSecond)
  }
}
