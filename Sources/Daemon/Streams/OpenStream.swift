import Schema
import Store

/// One opened stream: everything that decides its batches, none of it changing.
struct OpenStream: Sendable {
  /// The lists that it draws from.
  let view: SnapshotView
  /// The order in which it draws.
  let plan: BatchPlan
  /// Pixels along a side of its images.
  let imageSize: Int
  /// Triplets that each category should have had.
  let minimum: Int
  /// The UUID of the store.
  let store: String
  /// How its batches look and travel.
  let format: BatchFormat
  /// The catalog's row of each of its categories.
  let rows: [Int64?]

  /// The token that continues with batch `k`.
  func token(_ k: Int) -> ResumeToken {
    ResumeToken(
      store: store, snapshot: view.snapshot, policy: .balanced, seed: plan.seed, k: k)
  }

  /// Whether a category has fewer triplets than the stream asked for.
  func isThin(_ category: Int) -> Bool { view.categories[category].count < minimum }

  /// Hash of all that decides what is drawn and how it is laid out.
  var fingerprint: String {
    let categories = view.categories.map { "\($0.name)=\($0.count)" }.joined(separator: ",")
    let text =
      "v1 balanced \(store) \(view.snapshot) \(plan.seed) \(plan.batchSize) "
      + "\(plan.rank)/\(plan.world) \(imageSize) \(categories) \(format.fingerprint)"
    let digits = String(mix64(fnv1a64(text)), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
