import Schema
import Synchronization

/// What was lately looked up of triplets, so that a batch needs no query for what is known.
///
/// Two halves: new entries and those that are used again go into the young one; when it is full it
/// becomes the old one, and what nobody has used meanwhile is dropped.
final class FactsCache: Sendable {
  /// Bytes that both halves take at most, about.
  static let maximumBytes = 64 << 20

  fileprivate struct Halves {
    var young: [TripletID: TripletFacts] = [:]
    var old: [TripletID: TripletFacts] = [:]
    var youngBytes = 0
    /// Rises with every removal, so that nothing is kept that was read before it.
    var removals = 0
  }

  private let halfBytes: Int
  private let halves = Mutex(Halves())

  /// An empty cache.
  init(maximumBytes: Int = FactsCache.maximumBytes) { halfBytes = maximumBytes / 2 }

  /// What is known of `ids`, nil where nothing is, and a number for ``insert(_:readAt:)``.
  func find(_ ids: [TripletID]) -> (facts: [TripletFacts?], moment: Int) {
    halves.withLock { halves in
      let facts = ids.map { (id) -> TripletFacts? in
        if let facts = halves.young[id] { return facts }
        guard let facts = halves.old[id] else { return nil }
        halves.add(facts, halfBytes)
        return facts
      }
      return (facts, halves.removals)
    }
  }

  /// Keeps what was read, unless something was removed since `moment`.
  func insert(_ facts: [TripletFacts], readAt moment: Int) {
    halves.withLock { halves in
      guard halves.removals == moment else { return }
      for entry in facts { halves.add(entry, halfBytes) }
    }
  }

  /// Forgets triplets that were set aside or deleted.
  func remove(_ ids: [TripletID]) {
    guard !ids.isEmpty else { return }
    halves.withLock { halves in
      halves.removals += 1
      for id in ids {
        halves.youngBytes -= halves.young.removeValue(forKey: id)?.memoryBytes ?? 0
        halves.old[id] = nil
      }
    }
  }
}

extension FactsCache.Halves {
  fileprivate mutating func add(_ facts: TripletFacts, _ limit: Int) {
    if youngBytes > limit {
      old = young
      young = [:]
      youngBytes = 0
    }
    if young.updateValue(facts, forKey: facts.triplet) == nil { youngBytes += facts.memoryBytes }
  }
}
