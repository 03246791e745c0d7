import Dispatch
import Foundation

/// What Ctrl-C does while a command waits for jobs.
package enum Interruption {
  /// Says that the jobs go on, how to look at them and how to cancel them.
  package static func message(jobs: [Int64]) -> String {
    let ids = jobs.sorted().map { "\($0)" }
    let subject = ids.count == 1 ? "job \(ids[0]) goes on" : "jobs \(listed(ids)) go on"
    let pronoun = ids.count == 1 ? "it" : "them"
    return "interrupted; \(subject): look with 'groundwell jobs', cancel \(pronoun) with "
      + "'groundwell job cancel \(ids.joined(separator: " "))'"
  }

  /// `1, 2 and 3`.
  package static func listed(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.joined() }
    return words.dropLast().joined(separator: ", ") + " and " + last
  }

  /// Runs `body`; Ctrl-C meanwhile says that the jobs go on and ends the process with 130.
  ///
  /// The signal is handled on a thread of its own, so it does not matter in which system call the
  /// command waits.
  static func guarding<Result>(
    jobs: [Int64], console: Console, _ body: () throws(ClientError) -> Result
  ) throws(ClientError) -> Result {
    let earlier = signal(SIGINT, SIG_IGN)
    let source = DispatchSource.makeSignalSource(
      signal: SIGINT, queue: DispatchQueue(label: "interruption"))
    source.setEventHandler {
      let newLine = console.showsMovingProgress ? "\n" : ""
      console.note("\(newLine)groundwell: \(message(jobs: jobs))\n")
      exit(ExitStatus.interrupted.rawValue)
    }
    source.resume()
    defer {
      source.cancel()
      _ = signal(SIGINT, earlier)
    }
    return try body()
  }
}
