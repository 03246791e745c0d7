private import Foundation

/// How a stream chooses triplets, by its name on the wire.
public enum SelectionPolicy: String, Codable, Sendable, CaseIterable {
  /// Every category equally often, exactly.
  case balanced
  /// Every triplet of every category once an epoch, so each category as often as it is there.
  case natural
  /// Each category in proportion to a weight.
  case weights
  /// Each category as often as it is there, rare ones more often (Gupta, Dollar and Girshick,
  /// "LVIS", CVPR 2019, section 5.2).
  case repeatFactor = "repeat-factor"
  /// A fixed part of all draws for the unseen categories, the rest for the seen ones.
  case mixture
}

/// A policy with its parameters.
public enum Selection: Sendable, Equatable {
  /// LVIS's threshold.
  public static let standardThreshold = 0.001
  /// LVIS's power: the square root.
  public static let standardPower = 0.5
  /// The part of the unseen categories.
  public static let standardUnseenShare = 0.5

  /// Every category equally often, exactly.
  case balanced
  /// Every pair of category and triplet once an epoch.
  case natural
  /// One finite weight above 0 for each category.
  case weights([Double])
  /// Categories rarer than `threshold` (above 0, at most 1) repeat by the ratio to `power` (0 to 1).
  case repeatFactor(threshold: Double, power: Double)
  /// The categories at the positions `unseen` get `share` of the draws, the others the rest; inside
  /// a group all alike.
  case mixture(unseen: Set<Int>, share: Double)

  /// The policy without its parameters.
  public var policy: SelectionPolicy {
    switch self {
    case .balanced: .balanced
    case .natural: .natural
    case .weights: .weights
    case .repeatFactor: .repeatFactor
    case .mixture: .mixture
    }
  }

  /// What each category's draws are in proportion to; nil where the policy does not go by shares.
  ///
  /// - Throws: ``SchemaError/Code/invalidArgument`` when a parameter is outside its range.
  func proportions(_ counts: [Int]) throws(SchemaError) -> [Double]? {
    switch self {
    case .balanced, .natural: return nil
    case .weights(let weights):
      guard weights.count == counts.count else {
        throw SchemaError(
          .invalidArgument,
          "\(weights.count) weights for \(counts.count) categories; expected one for each")
      }
      if let index = weights.firstIndex(where: { !($0.isFinite && $0 > 0) }) {
        throw SchemaError(
          .invalidArgument,
          "weight \(index) is \(weights[index]); expected a finite number above 0")
      }
      return weights
    case .repeatFactor(let threshold, let power):
      return try Self.repeated(counts, threshold, power)
    case .mixture(let unseen, let share):
      return try Self.mixed(counts.count, unseen, share)
    }
  }

  private static func repeated(
    _ counts: [Int], _ threshold: Double, _ power: Double
  ) throws(SchemaError) -> [Double] {
    guard threshold > 0, threshold <= 1 else {
      throw SchemaError(
        .invalidArgument, "threshold is \(threshold); expected a number above 0 and at most 1")
    }
    guard power >= 0, power <= 1 else {
      throw SchemaError(.invalidArgument, "power is \(power); expected 0 to 1")
    }
    let total = Double(counts.reduce(0, +))
    return counts.map { count in
      let frequency = Double(count) / total
      return frequency * max(1, pow(threshold / frequency, power))
    }
  }

  private static func mixed(
    _ count: Int, _ unseen: Set<Int>, _ share: Double
  ) throws(SchemaError) -> [Double] {
    guard share >= 0, share <= 1 else {
      throw SchemaError(.invalidArgument, "unseen_share is \(share); expected 0 to 1")
    }
    guard unseen.allSatisfy((0..<count).contains) else {
      throw SchemaError(.invalidArgument, "an unseen category is not among the categories")
    }
    guard !unseen.isEmpty, unseen.count < count else {
      throw SchemaError(
        .invalidArgument,
        "\(unseen.count) of \(count) categories are unseen; a mixture needs at least one unseen "
          + "and one seen category")
    }
    return (0..<count).map { category in
      unseen.contains(category)
        ? share / Double(unseen.count) : (1 - share) / Double(count - unseen.count)
    }
  }
}
