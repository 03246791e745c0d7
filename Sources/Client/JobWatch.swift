import Foundation
import Schema
import Wire

/// Waits for jobs and shows how far they are.
struct JobWatch {
  /// Seconds that one request waits; the daemon reports progress meanwhile.
  private static let requestSeconds = 10.0
  /// Seconds that the daemon may answer late.
  private static let graceSeconds = 30.0
  private static let standardColumns = 80

  let connection: Connection
  let console: Console
  let jobs: [Int64]

  /// Waits until no job is active any more and answers them as they are then.
  ///
  /// - Parameter timeoutSeconds: nil waits for as long as it takes.
  /// - Throws: ``ExitStatus/deadline`` when the time is over first; the jobs go on.
  func wait(timeoutSeconds: Double?) throws(ClientError) -> [JobInfo] {
    let start = console.instant()
    var report = ProgressReport(
      isMoving: console.showsMovingProgress, columns: console.columns ?? Self.standardColumns,
      start: start)
    var latest: [JobInfo] = []
    while true {
      let left = timeoutSeconds.map { $0 - start.duration(to: console.instant()) / .seconds(1) }
      if let left, left <= 0 {
        endLine()
        throw ClientError(.deadline, overdue(latest, timeoutSeconds ?? 0))
      }
      let seconds = min(Self.requestSeconds, left ?? Self.requestSeconds)
      let answer = try ask(seconds) { seen in
        latest = seen
        if let text = report.text(for: seen, at: console.instant()) { console.note(text) }
      }
      latest = answer.jobs
      if answer.finished {
        console.note(report.end(for: latest, at: console.instant()))
        return latest
      }
      if let text = report.text(for: latest, at: console.instant()) { console.note(text) }
    }
  }

  private func ask(
    _ seconds: Double, _ seen: ([JobInfo]) -> Void
  ) throws(ClientError) -> JobWait.Result {
    do throws(ClientError) {
      return try connection.call(
        JobWait.self, JobWait.Params(jobs: jobs, waitSeconds: seconds),
        timeout: .seconds(seconds + Self.graceSeconds)
      ) { seen($0.jobs) }
    } catch  where error.status == .unreachable {
      endLine()
      let ids = Interruption.listed(jobs.sorted().map { "\($0)" })
      throw ClientError(
        .unreachable,
        "\(error.message); \(jobs.count == 1 ? "job \(ids) is" : "jobs \(ids) are") kept, look with "
          + "'groundwell jobs' when it is back")
    }
  }

  private func endLine() {
    if console.showsMovingProgress { console.note("\n") }
  }

  private func overdue(_ latest: [JobInfo], _ seconds: Double) -> String {
    let done = latest.reduce(0) { $0 + $1.done }
    let items = latest.reduce(0) { $0 + $1.items }
    return "not finished within \(ReadableDuration.text(seconds: seconds)), \(done) of \(items) "
      + "done; the jobs go on: look with 'groundwell jobs'"
  }
}
