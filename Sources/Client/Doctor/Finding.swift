/// One thing that `doctor` has looked at.
package struct Finding: Sendable, Equatable, Encodable {
  /// How it is.
  package enum Level: String, Sendable, Encodable {
    /// As it should be.
    case fine = "ok"
    /// Works, and may not for long.
    case doubtful = "warning"
    /// Will not work.
    case wrong
  }

  /// How it is.
  package let level: Level
  /// What was looked at.
  package let subject: String
  /// What was found, with its figures.
  package let found: String
  /// What to do about it; nil when there is nothing to do.
  package let advice: String?

  /// Creates a finding.
  package init(_ level: Level, _ subject: String, _ found: String, _ advice: String? = nil) {
    self.level = level
    self.subject = subject
    self.found = found
    self.advice = level == .fine ? nil : advice
  }

  /// All findings, for programs.
  struct Report: Encodable {
    /// The findings, in the order in which they were looked for.
    let findings: [Finding]
    /// How many are wrong.
    let wrong: Int
    /// How many are doubtful.
    let warnings: Int

    init(_ findings: [Finding]) {
      self.findings = findings
      wrong = findings.count { $0.level == .wrong }
      warnings = findings.count { $0.level == .doubtful }
    }
  }
}

/// Findings as text.
package enum DoctorReport {
  private static let subjectColumns = 16

  /// A line for each finding, and its advice below.
  package static func rendered(_ findings: [Finding], style: TextStyle) -> String {
    var text = ""
    for finding in findings {
      let (mark, colour): (String, TextStyle.Colour) =
        switch finding.level {
        case .fine: ("ok     ", .green)
        case .doubtful: ("warning", .yellow)
        case .wrong: ("WRONG  ", .red)
        }
      let gap = String(repeating: " ", count: max(1, subjectColumns - finding.subject.count))
      text += "\(style.paint(mark, colour)) \(finding.subject)\(gap)"
      text += PrintableText.clean(finding.found) + "\n"
      if let advice = finding.advice {
        text += String(repeating: " ", count: subjectColumns + 8) + "-> \(advice)\n"
      }
    }
    let wrong = findings.count { $0.level == .wrong }
    let doubtful = findings.count { $0.level == .doubtful }
    return text + "\(wrong) wrong, \(Quantity.text(doubtful, "warning"))\n"
  }
}
