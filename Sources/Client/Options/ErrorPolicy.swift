public import ArgumentParser

/// What a broken item does to a command that goes through many.
public enum ErrorPolicy: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// It is reported and left out.
  case skip
  /// It ends the command.
  case stop
}

/// Keeps what went wrong with single items.
struct ItemProblems {
  /// Sentences that are kept for the summary.
  static let maximumKept = 100

  /// How many items were left out.
  private(set) var count = 0
  /// The first sentences.
  private(set) var sentences: [String] = []

  /// Reports a broken item, or ends the command with it.
  ///
  /// - Throws: ``ExitStatus/failed`` when the policy is to stop.
  mutating func add(
    _ sentence: String, _ policy: ErrorPolicy, _ progress: inout ItemProgress
  ) throws(ClientError) {
    guard policy == .skip else {
      progress.clear()
      throw ClientError(.failed, sentence + "; --on-error skip leaves such items out")
    }
    count += 1
    if sentences.count < Self.maximumKept { sentences.append(sentence) }
    progress.note("left out: " + sentence)
  }
}
