/// Spans of time as people write them.
package enum ReadableDuration {
  /// `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
  package static func text(seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "ages" }
    let whole = Int(max(0, seconds).rounded(.up))
    switch whole {
    case ..<60: return "\(whole) s"
    case ..<3600: return joined(whole / 60, "min", whole % 60, "s")
    case ..<86400: return joined(whole / 3600, "h", whole % 3600 / 60, "min")
    default: return joined(whole / 86400, "d", whole % 86400 / 3600, "h")
    }
  }

  private static func joined(_ large: Int, _ unit: String, _ small: Int, _ part: String) -> String {
    small == 0 ? "\(large) \(unit)" : "\(large) \(unit) \(small) \(part)"
  }

  /// Reads `90s`, `15m`, `2h`, `7d`, `3w`; a bare number is refused, since nobody knows its unit.
  package static func seconds(_ text: String) -> Double? {
    guard let unit = text.last, let number = Double(text.dropLast()), number.isFinite, number >= 0,
      text.dropLast().allSatisfy({ $0.isNumber || $0 == "." })
    else { return nil }
    let factor: Double? =
      switch unit {
      case "s": 1
      case "m": 60
      case "h": 3600
      case "d": 86400
      case "w": 604_800
      default: nil
      }
    guard let factor, number * factor <= 1e10 else { return nil }
    return number * factor
  }
}
