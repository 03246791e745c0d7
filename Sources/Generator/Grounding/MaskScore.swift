/// How well masks agree: counts of pixels, of which intersection over union is made.
package struct MaskScore: Sendable, Equatable {
  /// Pixels in both masks.
  package private(set) var intersection = 0
  /// Pixels in either mask.
  package private(set) var union = 0

  /// The score of one pair of masks; pixels where `counts` is 0 are left out.
  ///
  /// - Precondition: all have the same number of pixels.
  package init(_ mask: [UInt8], _ target: [UInt8], counts: [UInt8]? = nil) {
    precondition(
      mask.count == target.count && (counts.map { $0.count == mask.count } ?? true),
      "masks of \(mask.count) and \(target.count) pixels")
    for index in mask.indices where (counts?[index] ?? 1) != 0 {
      intersection += Int(mask[index] & target[index])
      union += Int(mask[index] | target[index])
    }
  }

  /// Intersection over union; 1 where both masks are empty.
  package var ratio: Double { union == 0 ? 1 : Double(intersection) / Double(union) }
}
