package import Foundation
package import Schema

/// Jobs as text.
package enum JobsReport {
  /// A table, one line per job.
  package static func rendered(
    _ jobs: [JobInfo], now: Date, columns: Int?, style: TextStyle
  ) -> String {
    guard !jobs.isEmpty else { return "No jobs.\n" }
    var table = Table([
      ("JOB", .right), ("CATEGORY", .left), ("STATE", .left), ("DONE", .right),
      ("PARKED", .right), ("LEASED", .right), ("TARGET", .right), ("ENGINE", .left),
      ("SIZE", .right), ("PRIORITY", .right), ("CREATED", .left),
    ])
    for job in jobs {
      table.add([
        StyledText("\(job.job)"), StyledText(PrintableText.clean(job.category.text)),
        StyledText(job.state.rawValue, colour(job.state)),
        StyledText("\(job.done)/\(job.items)"),
        StyledText("\(job.parked)", job.parked > 0 ? .red : nil), StyledText("\(job.leased)"),
        StyledText("\(job.target)"), StyledText(PrintableText.clean(job.engine)),
        StyledText("\(job.imageSize)"), StyledText("\(job.priority)"),
        StyledText(MomentText.age(job.createdMicroseconds, now: now)),
      ])
    }
    return table.rendered(columns: columns, style: style)
  }

  /// All that is known of one job.
  package static func details(_ job: JobInfo) -> String {
    var facts = FactList()
    facts.add("job", "\(job.job)")
    facts.add("category", job.category.text)
    facts.add("state", job.state.rawValue)
    facts.add(
      "items", "\(job.done) of \(job.items) done, \(job.parked) parked, \(job.leased) leased")
    facts.add("target", "\(job.target)")
    facts.add("engine", "\(job.engine), \(job.imageSize) pixels a side")
    facts.add("priority", "\(job.priority)")
    facts.add("created", MomentText.date(job.createdMicroseconds))
    facts.add("finished", ifKnown: job.finishedMicroseconds.map(MomentText.date))
    facts.add("last error", ifKnown: job.lastError)
    return facts.rendered
  }

  /// Why a wait did not end well: one sentence about the jobs that are not `done`; nil if all are.
  package static func failure(_ jobs: [JobInfo]) -> String? {
    let bad = jobs.filter { $0.state != .done }
    guard let first = bad.first else { return nil }
    let sentences = bad.prefix(3).map { job in
      "job \(job.job) ('\(job.category)') \(verb(job.state)) with \(job.done) of \(job.items) done"
        + (job.lastError.map { ": \($0)" } ?? "")
    }
    let more = bad.count > 3 ? "; and \(bad.count - 3) more" : ""
    return sentences.joined(separator: "; ") + more
      + "; see 'groundwell job show \(first.job)'"
  }

  private static func verb(_ state: JobState) -> String {
    switch state {
    case .active: "is not finished,"
    case .done: "ended"
    case .failed: "failed"
    case .cancelled: "was cancelled"
    }
  }

  private static func colour(_ state: JobState) -> TextStyle.Colour? {
    switch state {
    case .active: .yellow
    case .done: .green
    case .failed: .red
    case .cancelled: .gray
    }
  }
}
