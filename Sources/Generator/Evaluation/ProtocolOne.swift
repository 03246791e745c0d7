import Schema

/// Protocol I of the paper on held-out scenes: intersection over union of masks by cell.
package struct ProtocolOne: Sendable {
  /// The scores of one method in one cell.
  package struct Score: Codable, Sendable, Equatable {
    /// The method.
    package let method: String
    /// The method without its settings.
    package let family: String
    /// The cell.
    package let cell: ProtocolCell
    /// Masks that were asked for.
    package let queries: Int
    /// Mean intersection over union.
    package let mean: Double
    /// The share of masks that agree more with their own object than with the other one; nil for
    /// pictures of one object.
    package let rightOne: Double?
    /// Mean intersection over union by category.
    package let categories: [String: Double]
  }

  /// Pictures that are looked at together.
  private static let batch = 8

  private let pictures: [(cell: ProtocolCell, examples: [TrainingExample])]

  /// Draws the pictures.
  ///
  /// - Throws: what ``ScenePictures`` throws.
  package init(
    _ scenes: ScenePictures, picturesPerCell: Int, seed: Int64
  ) throws(GeneratorError) {
    pictures = try ProtocolCell.allCases.map { cell throws(GeneratorError) in
      (cell, try scenes.pictures(cell, count: picturesPerCell, seed: seed))
    }
  }

  /// Measures pictures of a folder.
  package init(_ labelled: LabelledPictures) {
    pictures = ProtocolCell.allCases.map { ($0, labelled.pictures[$0] ?? []) }
  }

  /// The pictures of a kind.
  func examples(_ cell: ProtocolCell) -> [TrainingExample] {
    pictures.first { $0.cell == cell }?.examples ?? []
  }

  /// Measures a method.
  ///
  /// - Throws: what the method throws.
  package func scores(_ method: some MaskMethod) throws(GeneratorError) -> [Score] {
    try pictures.map { cell, examples throws(GeneratorError) in
      var (ratios, byCategory): ([Double], [String: [Double]]) = ([], [:])
      var right = 0
      for first in stride(from: 0, to: examples.count, by: Self.batch) {
        let part = Array(examples[first..<min(first + Self.batch, examples.count)])
        var found = try method.masks(part)[...]
        for example in part {
          for (index, target) in example.masks.enumerated() {
            let mask = found.removeFirst()
            let ratio = MaskScore(mask, target.mask.values).ratio
            ratios.append(ratio)
            byCategory[target.category.text, default: []].append(ratio)
            let others = example.masks.enumerated().filter { $0.offset != index }
            if others.allSatisfy({ MaskScore(mask, $0.element.mask.values).ratio < ratio }) {
              right += 1
            }
          }
        }
      }
      return Score(
        method: method.name, family: method.family, cell: cell, queries: ratios.count,
        mean: Self.mean(ratios),
        rightOne: cell.objectCount == 1 || ratios.isEmpty
          ? nil : Double(right) / Double(ratios.count),
        categories: byCategory.mapValues(Self.mean))
    }
  }

  private static func mean(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
  }

  /// The scores as a Markdown table, in percent, with the paper's figures below.
  package static func table(_ scores: [Score]) -> String {
    let cells = ProtocolCell.allCases
    var lines = [
      "| method | " + cells.map(\.rawValue).joined(separator: " | ") + " | right one of two, "
        + "seen / unseen |",
      "|---|" + cells.map { _ in "---|" }.joined() + "---|",
    ]
    var methods: [String] = []
    for score in scores where !methods.contains(score.method) { methods.append(score.method) }
    for method in methods {
      func score(_ cell: ProtocolCell) -> Score? {
        scores.first { $0.method == method && $0.cell == cell }
      }
      let means = cells.map { cell in
        percent(score(cell).flatMap { $0.queries > 0 ? $0.mean : nil })
      }
      let right = [ProtocolCell.twoSeen, .twoUnseen].map { percent(score($0)?.rightOne) }
      lines.append(
        "| \(method) | " + means.joined(separator: " | ")
          + " | \(right.joined(separator: " / ")) |")
    }
    for (name, values) in published {
      lines.append("| \(name) | " + values.joined(separator: " | ") + " | – |")
    }
    return lines.joined(separator: "\n")
  }

  /// Table 1 of the paper, means over the three PASCAL-sim splits.
  private static let published = [
    ("paper, PASCAL-sim: DAAM", ["64.8", "62.9", "48.2", "49.2", "51.0"]),
    ("paper, PASCAL-sim: module", ["90.3", "83.1", "79.1", "67.9", "55.7"]),
  ]

  private static func percent(_ value: Double?) -> String {
    guard let value else { return "–" }
    return "\((value * 1000).rounded() / 10)"
  }
}
