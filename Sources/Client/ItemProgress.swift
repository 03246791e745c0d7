/// Shows how far a command is that goes through items one by one.
///
/// On a terminal one line is painted over and over; elsewhere a line comes every few seconds.
struct ItemProgress {
  private static let clearLine = "\r\u{1B}[K"
  private static let standardColumns = 80

  private let console: Console
  private let total: Int
  private var meter = RateMeter()
  private var lastShown: ContinuousClock.Instant?
  private var isPainted = false

  /// Progress towards `total` items.
  init(total: Int, console: Console) {
    self.total = total
    self.console = console
    lastShown = console.showsMovingProgress ? nil : console.instant()
    meter.add(0, at: console.instant())
  }

  /// Says how many items are done, if it is time to.
  mutating func show(done: Int, failed: Int) {
    let now = console.instant()
    meter.add(done, at: now)
    let interval =
      console.showsMovingProgress ? ProgressReport.paintInterval : ProgressReport.logInterval
    if let lastShown, lastShown.duration(to: now) < interval { return }
    lastShown = now
    paint(done, failed)
  }

  /// Writes a note of its own line.
  mutating func note(_ text: String) {
    clear()
    console.note("groundwell: \(PrintableText.clean(text))\n")
  }

  /// Shows the last state and ends the moving line.
  mutating func end(done: Int, failed: Int) {
    meter.add(done, at: console.instant())
    guard console.showsMovingProgress else { return }
    paint(done, failed)
    console.note("\n")
    isPainted = false
  }

  /// Takes the moving line away, for a message.
  mutating func clear() {
    if isPainted { console.note(Self.clearLine) }
    isPainted = false
  }

  private mutating func paint(_ done: Int, _ failed: Int) {
    let bar = ProgressBar(done: done, failed: failed, total: total, perSecond: meter.perSecond)
    if console.showsMovingProgress {
      console.note(Self.clearLine + bar.rendered(columns: console.columns ?? Self.standardColumns))
      isPainted = true
    } else {
      console.note(bar.sentence + "\n")
    }
  }
}
