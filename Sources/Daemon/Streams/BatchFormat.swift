import Schema

/// How the batches of a stream look and travel; nothing in it decides what is drawn.
struct BatchFormat: Sendable {
  /// How batches reach the client.
  enum Delivery: String, CaseIterable {
    /// As bytes behind the JSON.
    case inline
    /// In shared memory whose descriptor the client has.
    case memfd
  }

  /// Batches that a client holds at a time unless it says otherwise.
  private static let standardSlots = 4

  let delivery: Delivery
  /// Batches that the client may hold at a time; 0 for `inline`.
  let slots: Int
  /// The tensors, in their order in the body.
  let tensors: [BatchTensor]
  let layout: PixelLayout
  let resize: ResizeFilter
  let augmentation: Augmentation.Request
  let givesPrompts: Bool

  /// Reads what a client asks for.
  ///
  /// - Throws: ``DaemonError`` naming what is not offered or out of range.
  init(_ params: StreamOpen.Params, _ limits: Limits) throws(DaemonError) {
    guard let delivery = Delivery(rawValue: params.delivery ?? "inline") else {
      let offered = Delivery.allCases.map(\.rawValue).joined(separator: ", ")
      throw DaemonError(
        .unsupported,
        "delivery '\((params.delivery ?? "").prefix(32))' is not offered; this daemon has: "
          + offered)
    }
    self.delivery = delivery
    let slots = params.slots ?? Self.standardSlots
    guard (1...limits.maximumStreamSlots).contains(slots) else {
      throw DaemonError(
        .invalidParams, "slots is \(slots); expected 1 to \(limits.maximumStreamSlots)")
    }
    self.slots = delivery == .memfd ? slots : 0
    let wanted = Set(params.tensors ?? BatchTensor.standard)
    guard !wanted.isEmpty else {
      throw DaemonError(.invalidParams, "tensors is empty; name one, or leave it out for all")
    }
    tensors = BatchTensor.allCases.filter { wanted.contains($0) }
    layout = params.layout ?? .nhwc
    resize = params.resize ?? .area
    givesPrompts = params.prompts ?? true
    do throws(SchemaError) {
      augmentation = try Augmentation.Request(flip: params.flip ?? false, crop: params.crop)
    } catch {
      throw DaemonError(error)
    }
  }
}
