/// The identity of a triplet: the change-sequence number at which it was added to its store.
///
/// Numbers rise in the order of commits and are never used again, so "all triplets up to number
/// s" names a snapshot.
public typealias TripletID = Int64

/// Where a mask comes from.
public enum LabelSource: String, Codable, Sendable, CaseIterable {
  /// Known by construction, as in a composed scene.
  case exact
  /// An off-the-shelf detector.
  case oracle
  /// The grounding module.
  case grounding
  /// Thresholded cross-attention (DAAM, arXiv 2210.04885).
  case daam
  /// Brought in from a data set.
  case `import`
}

/// What is known of one mask besides its pixels.
public struct MaskInfo: Codable, Sendable, Equatable {
  /// The category whose object the mask covers.
  public var category: CategoryName
  /// Counts the objects of one category within a triplet from 0.
  public var instance: Int
  /// Where the mask comes from.
  public var source: LabelSource
  /// The labeller's confidence in 0…1; absent when it has none.
  public var confidence: Double?
  /// The share of the object that nothing in front of it hides, in 0…1; absent when unknown.
  public var visibleFraction: Double?
  /// How many pixels the mask covers; written by the store.
  public var pixelCount: Int?

  /// Creates the description of a mask.
  public init(
    category: CategoryName, instance: Int, source: LabelSource, confidence: Double? = nil,
    visibleFraction: Double? = nil, pixelCount: Int? = nil
  ) {
    self.category = category
    self.instance = instance
    self.source = source
    self.confidence = confidence
    self.visibleFraction = visibleFraction
    self.pixelCount = pixelCount
  }
}

/// How a triplet was made, enough to make it again.
public struct Provenance: Codable, Sendable, Equatable {
  /// The engine: `scenes`, `diffusion`, or `import`.
  public var engine: String
  /// Hash of all weights or sprites that the engine used.
  public var modelFingerprint: String?
  /// The seed of this triplet.
  public var seed: Int64
  /// The sampler, for a diffusion engine.
  public var sampler: String?
  /// Denoising steps, for a diffusion engine.
  public var steps: Int?
  /// The guidance scale, for a diffusion engine.
  public var guidanceScale: Double?
  /// Hash of the grounding module's weights.
  public var groundingFingerprint: String?
  /// The name that the worker gave itself.
  public var worker: String
  /// Microseconds since 1970 at which the triplet was made.
  public var createdMicroseconds: Int64

  /// Creates a provenance record.
  public init(
    engine: String, modelFingerprint: String? = nil, seed: Int64, sampler: String? = nil,
    steps: Int? = nil, guidanceScale: Double? = nil, groundingFingerprint: String? = nil,
    worker: String, createdMicroseconds: Int64
  ) {
    self.engine = engine
    self.modelFingerprint = modelFingerprint
    self.seed = seed
    self.sampler = sampler
    self.steps = steps
    self.guidanceScale = guidanceScale
    self.groundingFingerprint = groundingFingerprint
    self.worker = worker
    self.createdMicroseconds = createdMicroseconds
  }
}

/// One image, its masks and the prompt it was made from.
///
/// Used both for a triplet on its way into a store and for one read back.
public struct Triplet: Sendable, Equatable {
  /// The pixels.
  public var image: RGBImage
  /// One entry per object; `masks[i]` has the image's size.
  public var masks: [(info: MaskInfo, mask: BinaryMask)]
  /// The text that the image was made from.
  public var prompt: String
  /// How it was made.
  public var provenance: Provenance

  /// Creates a triplet; ``validate()`` says whether a store will take it.
  public init(
    image: RGBImage, masks: [(info: MaskInfo, mask: BinaryMask)], prompt: String,
    provenance: Provenance
  ) {
    self.image = image
    self.masks = masks
    self.prompt = prompt
    self.provenance = provenance
  }

  /// The categories present, each once, in the order of their first mask.
  public var categories: [CategoryName] {
    var seen = Set<CategoryName>()
    return masks.map(\.info.category).filter { seen.insert($0).inserted }
  }

  /// Compares every pixel and every fact.
  public static func == (left: Triplet, right: Triplet) -> Bool {
    left.image == right.image && left.prompt == right.prompt
      && left.provenance == right.provenance && left.masks.count == right.masks.count
      && zip(left.masks, right.masks).allSatisfy { $0.info == $1.info && $0.mask == $1.mask }
  }
}
