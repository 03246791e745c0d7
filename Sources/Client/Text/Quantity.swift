/// A number with its noun.
package enum Quantity {
  /// `1 job`, `2 jobs`, `2 categories`.
  package static func text(_ count: Int, _ one: String, _ many: String? = nil) -> String {
    "\(count) \(count == 1 ? one : many ?? one + "s")"
  }
}
