package import Schema

/// A picture with the masks that a module may be trained on.
package struct TrainingExample: Sendable {
  /// The triplet it comes from.
  package let triplet: Int64
  /// The picture.
  package let image: RGBImage
  /// What it was made from: the U-Net's text.
  package let prompt: String
  /// The mask of each seen category in it, by name.
  package let masks: [(category: CategoryName, mask: BinaryMask)]
  /// 0 for pixels of objects that are not seen categories, else 1, `height * width` values.
  package let counts: [UInt8]

  /// Creates an example.
  package init(
    triplet: Int64, image: RGBImage, prompt: String,
    masks: [(category: CategoryName, mask: BinaryMask)], counts: [UInt8]
  ) {
    self.triplet = triplet
    self.image = image
    self.prompt = prompt
    self.masks = masks
    self.counts = counts
  }

  /// Whether the triplet is kept for validation: about one of twenty, by its number alone, so that
  /// every run keeps the same ones.
  package var isHeldOut: Bool {
    MissSimulator.hash(UInt64(bitPattern: triplet), 0x5EED) % 20 == 0
  }
}

/// Where training examples come from: batch `k` is the same whenever it is asked for.
package protocol TrainingSource {
  /// The categories whose masks it hands out.
  var categories: [CategoryName] { get }
  /// All that decides which examples come, for a checkpoint: a resumed run needs the same.
  var identity: String { get }
  /// Batch number `k`, from 0.
  ///
  /// - Throws: ``GeneratorError``.
  func batch(_ k: Int) throws(GeneratorError) -> [TrainingExample]
}

/// Leaves masks out as a detector would that overlooks some objects: the same ones in every epoch.
package struct MissSimulator: Sendable {
  /// The chance that a mask is missing.
  package let probability: Double
  /// Which ones.
  package let seed: UInt64

  /// Creates a simulator.
  package init(probability: Double, seed: UInt64) {
    self.probability = probability
    self.seed = seed
  }

  /// Whether the mask of a category in a triplet is missing.
  package func misses(_ category: CategoryName, in triplet: Int64) -> Bool {
    guard probability > 0 else { return false }
    var value = Self.hash(UInt64(bitPattern: triplet), seed)
    for byte in category.text.utf8 { value = Self.hash(value, UInt64(byte)) }
    return Double(value >> 11) * 0x1p-53 < probability
  }

  /// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over both numbers.
  static func hash(_ value: UInt64, _ salt: UInt64) -> UInt64 {
    var z = (value ^ salt &* 0x9E37_79B9_7F4A_7C15) &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
