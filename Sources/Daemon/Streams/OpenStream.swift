import Schema
import Store

/// One opened stream: everything that decides its batches.
struct OpenStream: Sendable {
  /// As it was opened.
  let params: StreamOpen.Params
  /// The lists that it draws from, as they are at its snapshot.
  let view: SnapshotView
  /// Keeps that snapshot whole.
  let hold: SnapshotHold
  /// The order in which it draws, without edges.
  let plan: BatchPlan
  /// Pixels along a side of its images.
  let imageSize: Int
  /// The UUID of the store.
  let store: String
  /// How its batches look and travel.
  let format: BatchFormat
  /// The catalog's row of each of its categories.
  let rows: [Int64?]
  /// How far its lists have grown; nil for a stream that does not follow its store.
  let followed: FollowedOrders?
  /// How often it draws a triplet of a thin category; nil for as often as it likes.
  let bound: DrawBound?

  /// Triplets that each category should have had.
  var minimum: Int { params.minimum ?? 1 }

  /// The token that continues with batch `k`.
  func token(_ k: Int) -> ResumeToken {
    ResumeToken(
      store: store, snapshot: view.snapshot, policy: plan.selection.policy, seed: plan.seed, k: k,
      edges: followed?.edges(plan))
  }

  /// Whether a category has fewer triplets than the stream asked for.
  func isThin(_ category: Int) -> Bool { view.categories[category].count < minimum }

  /// Hash of all that decides what is drawn and how it is laid out; edges are not in it.
  var fingerprint: String {
    PlanHash(params, plan, view, imageSize: imageSize, store: store).text(withRank: true)
  }
}

/// Names a plan by a hash of all that decides its bytes.
struct PlanHash {
  private let head: String
  private let rank: Int

  /// The hash of a stream that is about to be opened.
  init(
    _ params: StreamOpen.Params, _ plan: BatchPlan, _ view: SnapshotView, imageSize: Int,
    store: String
  ) {
    let categories = view.categories.map { "\($0.name)=\($0.count)" }.joined(separator: ",")
    let shares: String =
      switch plan.selection {
      case .balanced, .natural: ""
      // The shares and not what they came from: they alone decide.
      case .weights, .repeatFactor, .mixture:
        plan.shares.map { String(Int($0 * 65536)) }.joined(separator: ",")
      }
    let tensors = Set(params.tensors ?? BatchTensor.standard)
    let pictures = [
      "\(imageSize)",
      BatchTensor.allCases.filter(tensors.contains).map(\.rawValue).joined(separator: ","),
      (params.layout ?? .nhwc).rawValue, (params.resize ?? .area).rawValue,
      params.flip == true ? "flip" : "",
      params.crop.map { $0.map(\.description).joined(separator: ",") } ?? "",
    ].joined(separator: " ")
    head =
      "v2 \(store) \(view.snapshot) \(plan.seed) \(plan.batchSize) of \(plan.world) "
      + "\(plan.selection.policy.rawValue) \(shares) \(params.follow == true ? "follow" : "") "
      + "\(pictures) \(categories)"
    rank = plan.rank
  }

  /// Sixteen hexadecimal digits; without the rank they are the same for all readers of a plan.
  func text(withRank: Bool) -> String {
    let text = withRank ? "\(head) rank \(rank)" : head
    let digits = String(mix64(fnv1a64(text)), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
