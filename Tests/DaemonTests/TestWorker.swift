import Schema
import TestSupport
import Wire

extension DaemonClient {
  /// Leases up to `count` items and hands in a sample for each; answers the triplets.
  func work(_ count: Int = 256, others: [String] = []) throws -> [TripletID] {
    try call(
      WorkLease.self, .init(worker: "test", engines: ["scenes"], count: count)
    ).result.items.map { item in
      let triplet = try Triplet.sample(
        seed: UInt64(item.seed), side: item.imageSize, categories: [item.category.text] + others)
      return try submit(item.lease, triplet).triplet
    }
  }

  /// Hands in one triplet.
  func submit(_ lease: LeaseReference, _ triplet: Triplet) throws -> WorkSubmit.Result {
    try call(
      WorkSubmit.self,
      .init(
        lease: lease, prompt: triplet.prompt, masks: triplet.masks.map(\.info),
        provenance: triplet.provenance),
      body: TripletBody.encode(image: triplet.image, masks: triplet.masks.map(\.mask))
    ).result
  }

  /// Asks for triplets of 16x16.
  @discardableResult
  func order(_ category: String, _ target: Int) throws -> [Int64] {
    try call(
      Backfill.self,
      .init(goals: [.init(category: CategoryName(category), target: target)], imageSize: 16)
    ).result.outcomes[0].jobs
  }

  /// The error that a call gets; nil when it succeeds.
  func refusal<M: Method>(_ method: M.Type, _ params: M.Params, body: [UInt8] = []) -> WireError? {
    do {
      _ = try call(method, params, body: body)
      return nil
    } catch {
      return error
    }
  }
}
