package import Foundation

/// Where a command reads its surroundings from and writes its text to.
package struct Console: Sendable {
  /// Columns of the terminal; nil when the output goes elsewhere, and nothing is cut to fit.
  package var columns: Int?
  /// Colours of standard output.
  package var style: TextStyle
  /// Whether standard error is a terminal, on which a progress bar may move.
  package var showsMovingProgress: Bool
  /// Environment variables.
  package var environment: [String: String]
  /// The time of day, for "2h ago".
  package var now: @Sendable () -> Date
  /// Time that only goes forward, for rates.
  package var instant: @Sendable () -> ContinuousClock.Instant
  /// Writes text to standard output.
  package var write: @Sendable (String) throws(ClientError) -> Void
  /// Writes text to standard error.
  package var note: @Sendable (String) -> Void

  /// Creates a console.
  package init(
    columns: Int?, style: TextStyle, showsMovingProgress: Bool, environment: [String: String],
    now: @escaping @Sendable () -> Date,
    instant: @escaping @Sendable () -> ContinuousClock.Instant,
    write: @escaping @Sendable (String) throws(ClientError) -> Void,
    note: @escaping @Sendable (String) -> Void
  ) {
    self.columns = columns
    self.style = style
    self.showsMovingProgress = showsMovingProgress
    self.environment = environment
    self.now = now
    self.instant = instant
    self.write = write
    self.note = note
  }
}

extension Console {
  /// The terminal, or the pipes and files, that the process was started with.
  static func standard(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> Console {
    let isTerminal = isatty(STDOUT_FILENO) == 1
    return Console(
      columns: columns(environment: environment, isTerminal: isTerminal),
      style: TextStyle.chosen(environment: environment, isTerminal: isTerminal),
      showsMovingProgress: isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb",
      environment: environment, now: { Date() }, instant: { ContinuousClock.now },
      write: { (text) throws(ClientError) in
        do {
          try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
          throw ClientError(.failed, "cannot write to standard output: \(error)")
        }
      },
      note: { text in
        // Nobody is left to tell when standard error itself cannot be written.
        do { try FileHandle.standardError.write(contentsOf: Data(text.utf8)) } catch { return }
      })
  }

  private static func columns(environment: [String: String], isTerminal: Bool) -> Int? {
    if let text = environment["COLUMNS"], let columns = Int(text), columns > 0 { return columns }
    guard isTerminal else { return nil }
    var size = winsize()
    // Safe: the call fills the struct that it is given, which lives for its duration.
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return 80
    }
    return Int(size.ws_col)
  }
}
