import Schema

/// Shows how many bytes a request has dealt with that goes through the store.
///
/// On a terminal one line is painted over and over; elsewhere a line comes every few seconds.
struct ByteProgress {
  private static let clearLine = "\r\u{1B}[K"

  private let console: Console
  private let doing: String
  private var lastShown: ContinuousClock.Instant?
  private var isPainted = false

  /// Progress of what the word says, such as `compacting`.
  init(_ doing: String, console: Console) {
    self.doing = doing
    self.console = console
    lastShown = console.showsMovingProgress ? nil : console.instant()
  }

  /// Shows a report, if it is time to.
  mutating func show(_ report: JobProgress) {
    guard let done = report.doneBytes, let total = report.totalBytes else { return }
    let now = console.instant()
    let interval =
      console.showsMovingProgress ? ProgressReport.paintInterval : ProgressReport.logInterval
    if let lastShown, lastShown.duration(to: now) < interval { return }
    lastShown = now
    let percent = total > 0 ? Int(Double(done) / Double(total) * 100) : 100
    let text =
      "\(doing): \(StatusReport.bytes(done)) of \(StatusReport.bytes(total)) (\(percent)%)"
    if console.showsMovingProgress {
      console.note(Self.clearLine + text)
      isPainted = true
    } else {
      console.note(text + "\n")
    }
  }

  /// Takes the moving line away.
  mutating func clear() {
    if isPainted { console.note(Self.clearLine) }
    isPainted = false
  }
}

extension Connection {
  /// Asks for something that goes through the store, and shows how far it is.
  func callLong<M: Method>(
    _ method: M.Type, _ params: M.Params, _ doing: String, _ console: Console
  ) throws(ClientError) -> M.Result {
    var progress = ByteProgress(doing, console: console)
    defer { progress.clear() }
    return try call(method, params, timeout: .seconds(Limits.standard.maximumWaitSeconds)) {
      progress.show($0)
    }
  }
}
