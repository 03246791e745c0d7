import Schema
import Store

/// What the parameters of a stream may be.
extension Session {
  /// Refuses parameters that need no look at the store to be wrong.
  func check(_ params: StreamOpen.Params) throws {
    let given = [params.categories != nil, params.split != nil, params.all == true]
    guard given.filter(\.self).count == 1 else {
      throw DaemonError(.invalidParams, "give one of 'categories', 'split' and 'all'")
    }
    if let store = params.store, store != context.store.uuid {
      throw DaemonError(
        .snapshotGone, "the token is of store \(store.prefix(36)), this is \(context.store.uuid)")
    }
    let limits = context.settings.limits
    if let size = params.imageSize {
      try inRange(size, limits.minimumImageSide...limits.maximumImageSide, "image_size")
    }
    try inRange(params.minimum ?? 1, 1...limits.maximumTarget, "minimum")
    try inRange(params.maximumDraws ?? 1, 1...limits.maximumTarget, "maximum_draws")
    try isWait(params.waitSeconds ?? 600)
    try inRange(params.seed ?? 0, 0...((1 << 53) - 1), "seed")
    try inRange(params.batchSize, 1...limits.maximumBatchSize, "batch_size")
    try checkPolicy(params)
    try checkFollow(params)
  }

  private func policy(_ params: StreamOpen.Params) throws(DaemonError) -> SelectionPolicy {
    let name = params.policy ?? SelectionPolicy.balanced.rawValue
    guard let policy = SelectionPolicy(rawValue: name) else {
      let offered = SelectionPolicy.allCases.map(\.rawValue).joined(separator: ", ")
      throw DaemonError(
        .unsupported, "policy '\(name.prefix(32))' is not offered; this daemon has: \(offered)")
    }
    return policy
  }

  private func checkPolicy(_ params: StreamOpen.Params) throws(DaemonError) {
    let policy = try policy(params)
    let owners: [(name: String, isGiven: Bool, policy: SelectionPolicy)] = [
      ("weights", params.weights != nil, .weights),
      ("threshold", params.threshold != nil, .repeatFactor),
      ("power", params.power != nil, .repeatFactor),
      ("unseen", params.unseen != nil, .mixture),
      ("unseen_share", params.unseenShare != nil, .mixture),
    ]
    if let stray = owners.first(where: { $0.isGiven && $0.policy != policy }) {
      throw DaemonError(
        .invalidParams,
        "'\(stray.name)' is for policy '\(stray.policy.rawValue)', the stream has "
          + "'\(policy.rawValue)'")
    }
    if policy == .weights, params.weights == nil || params.categories == nil {
      throw DaemonError(
        .invalidParams,
        "policy 'weights' needs 'weights' and 'categories': one number above 0 for each category")
    }
    if policy == .mixture, params.unseen == nil {
      throw DaemonError(.invalidParams, "policy 'mixture' needs 'unseen', the unseen categories")
    }
  }

  private func checkFollow(_ params: StreamOpen.Params) throws(DaemonError) {
    if params.follow == true, params.policy == SelectionPolicy.natural.rawValue {
      throw DaemonError(
        .unsupported,
        "policy 'natural' goes through the whole snapshot at once and cannot follow the store")
    }
    if params.edges != nil, params.follow != true || params.snapshot == nil {
      throw DaemonError(
        .invalidParams, "'edges' are for a stream with 'follow' and the 'snapshot' of its token")
    }
  }

  /// The policy with its parameters, for the categories of the stream.
  func selection(
    _ params: StreamOpen.Params, _ names: [CategoryName]
  ) throws(DaemonError) -> Selection {
    switch try policy(params) {
    case .balanced: return .balanced
    case .natural: return .natural
    case .weights: return .weights(params.weights ?? [])
    case .repeatFactor:
      return .repeatFactor(
        threshold: params.threshold ?? Selection.standardThreshold,
        power: params.power ?? Selection.standardPower)
    case .mixture:
      let unseen = Set(params.unseen ?? [])
      if let stranger = unseen.subtracting(names).min() {
        throw DaemonError(
          .invalidParams, "unseen category '\(stranger)' is not among the stream's categories")
      }
      return .mixture(
        unseen: Set(names.indices.filter { unseen.contains(names[$0]) }),
        share: params.unseenShare ?? Selection.standardUnseenShare)
    }
  }
}
