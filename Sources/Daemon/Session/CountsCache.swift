import Schema
import Synchronization

/// The text of the last answer to `counts`, which is asked far more often than anything changes.
final class CountsCache: Sendable {
  private struct Entry {
    let generation: Int
    let minimum: Int
    let text: [UInt8]
  }

  private let last = Mutex<Entry?>(nil)

  /// The counts of all categories as JSON: those of before while `generation` is the same.
  ///
  /// - Parameter generation: the store's, read before anything is counted.
  func text(
    generation: Int, minimum: Int, _ count: () throws -> Counts.Result
  ) throws -> [UInt8] {
    let known = last.withLock { last in
      last.flatMap { $0.generation == generation && $0.minimum == minimum ? $0.text : nil }
    }
    if let known { return known }
    let text = try JSONText.encode(try count())
    last.withLock { $0 = Entry(generation: generation, minimum: minimum, text: text) }
    return text
  }
}

extension RequestID {
  /// As it stands in JSON.
  func json() throws(SchemaError) -> [UInt8] {
    switch self {
    case .number(let number): Array("\(number)".utf8)
    case .text: try JSONText.encode(self)
    }
  }
}
