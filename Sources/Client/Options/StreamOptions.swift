public import ArgumentParser
public import Schema

extension SelectionPolicy: ExpressibleByArgument {}

/// What decides the batches of a stream.
struct StreamOptions: ParsableArguments {
  @Argument(
    help: "The categories, by label; one argument may hold several, split by commas; else all.")
  var categories: [String] = []

  @Option(
    help: ArgumentHelp("All categories of this split instead, such as pascal-1.", valueName: "name")
  )
  var split: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Triplets in a batch, over all ranks.", valueName: "n"))
  var batchSize = 32

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Seed of the order, 0 to 2^53 - 1.", valueName: "n"))
  var seed: Int64 = 0

  @Option(help: "How the categories share the draws.")
  var policy: SelectionPolicy = .balanced

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "For policy weights: one number above 0 for each category, split by commas.",
      valueName: "numbers"))
  var weights: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "For repeat-factor: categories rarer than this part repeat (default: 0.001).",
      valueName: "part"))
  var threshold: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "For repeat-factor: 0.5 repeats by the square root of the rarity (default: 0.5).",
      valueName: "number"))
  var power: Double?

  @Option(help: ArgumentHelp("For mixture: the unseen categories.", valueName: "names"))
  var unseen: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "For mixture: the part of the draws that are for unseen categories (default: 0.5).",
      valueName: "part"))
  var unseenShare: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("See the store as it was at this snapshot.", valueName: "number"))
  var snapshot: Int64?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("This reader's number among those that share each batch.", valueName: "n"))
  var rank = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Readers that share each batch.", valueName: "n"))
  var world = 1

  func validate() throws {
    let limit = Limits.standard.maximumBatchSize
    guard (1...limit).contains(batchSize) else {
      throw ValidationError("--batch-size is \(batchSize); expected 1 to \(limit)")
    }
    if split != nil, !categories.isEmpty {
      throw ValidationError("give categories or --split, not both")
    }
    guard (0..<(1 << 53)).contains(seed) else {
      throw ValidationError("--seed is \(seed); expected 0 to \((1 << 53) - 1)")
    }
    guard (1...batchSize).contains(world), (0..<world).contains(rank) else {
      throw ValidationError(
        "--rank \(rank) of --world \(world); expected --world 1 to \(batchSize) and --rank below")
    }
    let misplaced: [(String, Bool, SelectionPolicy)] = [
      ("--weights", weights != nil, .weights), ("--threshold", threshold != nil, .repeatFactor),
      ("--power", power != nil, .repeatFactor), ("--unseen", !unseen.isEmpty, .mixture),
      ("--unseen-share", unseenShare != nil, .mixture),
    ]
    if let (option, _, needed) = misplaced.first(where: { $0.1 && $0.2 != policy }) {
      throw ValidationError("\(option) is for --policy \(needed.rawValue)")
    }
    if policy == .weights, weights == nil {
      throw ValidationError("--policy weights needs --weights, one for each category")
    }
    if policy == .weights, categories.isEmpty {
      throw ValidationError("--policy weights needs the categories that the weights are for")
    }
    if policy == .mixture, unseen.isEmpty {
      throw ValidationError("--policy mixture needs --unseen")
    }
    if let text = weights { _ = try Self.numbers(text) }
  }

  /// The parameters of `stream.open`, with a name that is unknown or wrong refused.
  func params() throws(ClientError) -> StreamOpen.Params {
    let names = try CategoryList.names(categories)
    var params = StreamOpen.Params(
      categories: names.isEmpty ? nil : names, split: split,
      all: names.isEmpty && split == nil ? true : nil,
      batchSize: batchSize, seed: seed, policy: policy.rawValue, rank: rank, world: world,
      snapshot: snapshot)
    params.weights = try weightNumbers()
    params.threshold = threshold
    params.power = power
    params.unseen = policy == .mixture ? try CategoryList.names(unseen) : nil
    params.unseenShare = unseenShare
    return params
  }

  /// The same choice for a plan over the categories of an open stream.
  func selection(_ names: [CategoryName]) throws(ClientError) -> Selection {
    switch policy {
    case .balanced: return .balanced
    case .natural: return .natural
    case .weights: return .weights(try weightNumbers() ?? [])
    case .repeatFactor:
      return .repeatFactor(
        threshold: threshold ?? Selection.standardThreshold,
        power: power ?? Selection.standardPower)
    case .mixture:
      let unseen = Set(try CategoryList.names(unseen))
      return .mixture(
        unseen: Set(names.indices.filter { unseen.contains(names[$0]) }),
        share: unseenShare ?? Selection.standardUnseenShare)
    }
  }

  private func weightNumbers() throws(ClientError) -> [Double]? {
    guard let weights else { return nil }
    do {
      return try Self.numbers(weights)
    } catch {
      throw ClientError(.usage, "\(error)")
    }
  }

  private static func numbers(_ text: String) throws -> [Double] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      let word = part.trimmingPrefix(while: \.isWhitespace)
      guard let number = Double(word), number.isFinite, number > 0 else {
        throw ValidationError("--weights has '\(word.prefix(32))'; expected numbers above 0")
      }
      return number
    }
  }
}
