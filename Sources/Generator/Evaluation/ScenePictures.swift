import Schema

/// The kinds of pictures that Protocol I measures, by how many objects they show and whether their
/// categories were trained on.
package enum ProtocolCell: String, CaseIterable, Codable, Sendable {
  case oneSeen = "one, seen"
  case oneUnseen = "one, unseen"
  case twoSeen = "two, seen"
  case twoMixed = "two, seen + unseen"
  case twoUnseen = "two, unseen"

  /// Objects in a picture.
  package var objectCount: Int { self == .oneSeen || self == .oneUnseen ? 1 : 2 }
}

/// Held-out scenes with exact masks, made for evaluation alone.
package struct ScenePictures: Sendable {
  /// Scenes that are tried for one picture.
  private static let maximumTries = 200
  /// Far from the seeds that a daemon gives its items.
  private static let firstSeed: Int64 = 0x6E5A_0000_0000

  private let engine: SceneEngine
  private let split: Split
  private let side: Int

  /// Pictures of a split's categories, of `side` pixels.
  package init(library: SpriteLibrary, split: Split, side: Int) {
    engine = SceneEngine(library: library)
    self.split = split
    self.side = side
  }

  /// Pictures of a cell, going through its categories in turn.
  ///
  /// - Throws: what the engine throws, and ``GeneratorError/Code/badSprites`` when no scene shows
  ///   two categories.
  package func pictures(
    _ cell: ProtocolCell, count: Int, seed: Int64
  ) throws(GeneratorError) -> [TrainingExample] {
    try (0..<count).map { index throws(GeneratorError) in
      let (first, second) = categories(cell, index)
      for attempt in 0..<Self.maximumTries {
        let item = WorkItem.local(
          first, size: side,
          seed: Self.firstSeed &+ (seed &* 1_000_003 &+ Int64(index)) &* 1009 &+ Int64(attempt),
          companions: second.map { [Companion(category: $0, weight: 1)] } ?? [])
        let scene = try engine.scene(for: item, worker: "evaluation", createdMicroseconds: 0)
        let wanted = Set([first] + (second.map { [$0] } ?? []))
        guard Set(scene.triplet.categories) == wanted,
          scene.triplet.masks.count == wanted.count
        else { continue }
        return example(scene.triplet, number: Int64(index))
      }
      throw GeneratorError(
        .badSprites, "no scene shows '\(first)' and '\(second?.text ?? "nothing else")'")
    }
  }

  private func categories(_ cell: ProtocolCell, _ index: Int) -> (CategoryName, CategoryName?) {
    func pick(_ list: [CategoryName], _ step: Int) -> CategoryName { list[step % list.count] }
    /// Another of the list, by a distance that changes from round to round.
    func other(_ list: [CategoryName]) -> CategoryName? {
      guard list.count > 1 else { return nil }
      return pick(list, index + 1 + index / list.count % (list.count - 1))
    }
    switch cell {
    case .oneSeen: return (pick(split.seen, index), nil)
    case .oneUnseen: return (pick(split.unseen, index), nil)
    case .twoSeen: return (pick(split.seen, index), other(split.seen))
    case .twoUnseen: return (pick(split.unseen, index), other(split.unseen))
    case .twoMixed:
      return (
        pick(split.seen, index), pick(split.unseen, index + index / split.unseen.count)
      )
    }
  }

  private func example(_ triplet: Triplet, number: Int64) -> TrainingExample {
    TrainingExample(
      triplet: number, image: triplet.image, prompt: triplet.prompt,
      masks: triplet.masks.map { ($0.info.category, $0.mask) },
      counts: [UInt8](repeating: 1, count: side * side))
  }
}
