import Schema
import Synchronization

/// The bound on how often a triplet of a thin category is drawn before more are made.
///
/// Wherever a category has been gone through another `maximum` times, its stream looks again
/// whether it is still thin, once.
final class DrawBound: Sendable {
  private let maximum: Int
  /// Per category how many times the stream has looked.
  private let passed: Mutex<[Int]>

  /// A bound for so many categories.
  init(_ maximum: Int, categories: Int) {
    self.maximum = maximum
    passed = Mutex(Array(repeating: 0, count: categories))
  }

  /// The categories among the draws of a batch at which to look before it is given out.
  func reached(_ draws: [Draw]) -> [Int] {
    passed.withLock { passed in
      Set(draws.filter { $0.epoch / maximum > passed[$0.category] }.map(\.category)).sorted()
    }
  }

  /// Remembers that these draws may be given out.
  func pass(_ draws: [Draw]) {
    passed.withLock { passed in
      for draw in draws {
        passed[draw.category] = max(passed[draw.category], draw.epoch / maximum)
      }
    }
  }
}
