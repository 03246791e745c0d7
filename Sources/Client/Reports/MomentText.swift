import Foundation

/// Moments and ages as tables show them.
enum MomentText {
  /// `2026-01-31 12:00:00Z`.
  static func date(_ microseconds: Int64) -> String {
    let date = Date(timeIntervalSince1970: Double(microseconds) / 1_000_000)
    let style = Date.ISO8601FormatStyle(dateTimeSeparator: .space, timeZone: .gmt)
    return date.formatted(style)
  }

  /// `3 min 20 s ago`.
  static func age(_ microseconds: Int64, now: Date) -> String {
    let seconds = now.timeIntervalSince1970 - Double(microseconds) / 1_000_000
    return ReadableDuration.text(seconds: max(0, seconds.rounded(.down))) + " ago"
  }
}
