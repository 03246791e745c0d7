import ArgumentParser
package import Foundation

/// A moment, given as a date or as how long ago it was.
package enum TimePoint: Sendable, Equatable, ExpressibleByArgument {
  /// A date of the calendar.
  case date(Date)
  /// So many seconds before the command runs.
  case ago(Double)

  /// Reads `2026-01-31`, `2026-01-31T12:00`, `2026-01-31T12:00:00+01:00`, or `90s`, `15m`, `2h`,
  /// `7d`, `3w`; a date without a time zone is UTC.
  package init?(argument: String) {
    if let seconds = ReadableDuration.seconds(argument) {
      self = .ago(seconds)
    } else if let date = Self.date(argument) {
      self = .date(date)
    } else {
      return nil
    }
  }

  /// Microseconds since 1970.
  package func microseconds(now: Date) -> Int64 {
    let seconds =
      switch self {
      case .date(let date): date.timeIntervalSince1970
      case .ago(let seconds): now.timeIntervalSince1970 - seconds
      }
    return Int64((seconds * 1_000_000).rounded())
  }

  private static func date(_ text: String) -> Date? {
    let form =
      /(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?/
      .asciiOnlyDigits()
    guard let parts = text.wholeMatch(of: form)?.output else { return nil }
    func number(_ text: Substring?) -> Int { text.flatMap { Int($0) } ?? 0 }
    guard number(parts.4) < 24, number(parts.5) < 60, number(parts.6) < 60,
      let zone = zone(parts.7 ?? "Z")
    else { return nil }
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = zone
    let components = DateComponents(
      calendar: calendar, year: number(parts.1), month: number(parts.2), day: number(parts.3),
      hour: number(parts.4), minute: number(parts.5), second: number(parts.6))
    return components.isValidDate ? calendar.date(from: components) : nil
  }

  private static func zone(_ text: Substring) -> TimeZone? {
    guard text != "Z" else { return .gmt }
    let digits = text.dropFirst().filter { $0 != ":" }
    guard let hours = Int(digits.prefix(2)), let minutes = Int(digits.suffix(2)), hours < 24,
      minutes < 60
    else { return nil }
    return TimeZone(secondsFromGMT: (text.hasPrefix("-") ? -1 : 1) * (hours * 3600 + minutes * 60))
  }
}
