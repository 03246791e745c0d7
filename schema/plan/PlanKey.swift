/// The keys of a plan: `key(seed, text, number)` of `schema/README.md`, with the part that does not
/// depend on the number worked out once.
struct PlanKey: Sendable {
  private let base: UInt64

  /// The keys of one purpose.
  init(seed: Int64, _ text: String) {
    base = mix64(mix64(UInt64(bitPattern: seed)) ^ fnv1a64(text))
  }

  /// The key of `number`.
  func callAsFunction(_ number: Int) -> UInt64 { mix64(base &+ UInt64(number)) }
}
