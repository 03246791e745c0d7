import Foundation

/// One line on standard error that shows how far the work is, where that is a terminal.
final class ProgressLine {
  private let total: Int
  private let started = ContinuousClock.now
  private let isTerminal = isatty(STDERR_FILENO) == 1

  init(total: Int) { self.total = total }

  func show(done: Int, step: Int, steps: Int) {
    guard isTerminal else { return }
    let share = (Double(done) + Double(step) / Double(steps)) / Double(total)
    let left = Int((seconds(since: started) * (1 - share) / share).rounded())
    let filled = Int(share * 30)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
    write("\r[\(bar)] step \(step)/\(steps), \(left / 60) min \(left % 60) s left   ")
  }

  func note(_ text: String) { write((isTerminal ? "\n" : "") + "warning: \(text)\n") }

  func end() { if isTerminal { write("\n") } }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
