/// Counts of categories, answered from memory.
public enum Counts: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// Only these; all when absent.
    public var categories: [CategoryName]?
    /// Counts the shortfall against at least this many triplets.
    public var minimum: Int?

    /// Creates parameters.
    public init(categories: [CategoryName]? = nil, minimum: Int? = nil) {
      self.categories = categories
      self.minimum = minimum
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// The snapshot that was counted.
    public var snapshot: Int64
    /// Live triplets in it.
    public var triplets: Int
    /// By name.
    public var categories: [CategoryCount]

    /// Creates an answer.
    public init(snapshot: Int64, triplets: Int, categories: [CategoryCount]) {
      self.snapshot = snapshot
      self.triplets = triplets
      self.categories = categories
    }
  }

  /// The name on the wire.
  public static let name = "counts"
  /// A filled-in request.
  public static let exampleParams = Params(categories: [.cat], minimum: 100)
  /// A filled-in answer.
  public static let exampleResult = Result(
    snapshot: 1042, triplets: 1000,
    categories: [
      CategoryCount(
        category: .cat, stock: 60, instances: 72, target: 80, pending: 20, shortfall: 40)
    ])
}

/// What the store has of one category.
public struct CategoryCount: Codable, Sendable, Equatable {
  /// The category.
  public var category: CategoryName
  /// Live triplets that show it.
  public var stock: Int
  /// Live masks of it.
  public var instances: Int
  /// Triplets it should have.
  public var target: Int
  /// Work items under way for it.
  public var pending: Int
  /// What is missing to the target, or to the minimum that was asked for if that is more.
  public var shortfall: Int

  /// Creates a count.
  public init(
    category: CategoryName, stock: Int, instances: Int, target: Int, pending: Int, shortfall: Int
  ) {
    self.category = category
    self.stock = stock
    self.instances = instances
    self.target = target
    self.pending = pending
    self.shortfall = shortfall
  }
}

/// Compares the catalog with a recount, and with `deep` every stored byte with its checksum.
public enum Check: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// Reads every blob as well.
    public var deep: Bool?

    /// Creates parameters.
    public init(deep: Bool? = nil) { self.deep = deep }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// Live triplets.
    public var triplets: Int
    /// Their masks.
    public var masks: Int
    /// Blobs whose bytes were read and compared.
    public var blobsRead: Int
    /// What is wrong, one sentence each, at most 100; empty when all is well.
    public var problems: [String]
    /// Triplets that are set aside.
    public var quarantined: [TripletID]

    /// Creates an answer.
    public init(
      triplets: Int, masks: Int, blobsRead: Int, problems: [String], quarantined: [TripletID]
    ) {
      self.triplets = triplets
      self.masks = masks
      self.blobsRead = blobsRead
      self.problems = problems
      self.quarantined = quarantined
    }
  }

  /// The name on the wire.
  public static let name = "store.check"
  /// A filled-in request.
  public static let exampleParams = Params(deep: true)
  /// A filled-in answer.
  public static let exampleResult = Result(
    triplets: 1000, masks: 1800, blobsRead: 2800,
    problems: ["category 'cat': stock 60, a recount gives 61"], quarantined: [17])
}

/// Lists triplets by what is known of them, in the order of their ids.
public enum TripletQuery: Method {
  /// What a caller sends; every condition given must hold.
  public struct Params: Codable, Sendable, Equatable {
    /// Shows this category.
    public var category: CategoryName?
    /// Made by this engine.
    public var engine: String?
    /// Has a mask from this source; of the category, if one is given.
    public var source: LabelSource?
    /// Committed at this time or later, in microseconds since 1970.
    public var sinceMicroseconds: Int64?
    /// Committed before this time, in microseconds since 1970.
    public var untilMicroseconds: Int64?
    /// Begins behind this triplet.
    public var after: TripletID?
    /// Newest first, `after` then meaning older than.
    public var descending: Bool?
    /// At most this many; 100 when absent.
    public var limit: Int?

    /// Creates parameters.
    public init(
      category: CategoryName? = nil, engine: String? = nil, source: LabelSource? = nil,
      sinceMicroseconds: Int64? = nil, untilMicroseconds: Int64? = nil, after: TripletID? = nil,
      descending: Bool? = nil, limit: Int? = nil
    ) {
      self.category = category
      self.engine = engine
      self.source = source
      self.sinceMicroseconds = sinceMicroseconds
      self.untilMicroseconds = untilMicroseconds
      self.after = after
      self.descending = descending
      self.limit = limit
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// The triplets.
    public var triplets: [TripletInfo]
    /// Ask with this as `after` for more; absent when there are none.
    public var next: TripletID?

    /// Creates an answer.
    public init(triplets: [TripletInfo], next: TripletID?) {
      self.triplets = triplets
      self.next = next
    }
  }

  /// The name on the wire.
  public static let name = "triplet.query"
  /// A filled-in request.
  public static let exampleParams = Params(
    category: .cat, engine: "scenes", source: .exact, sinceMicroseconds: 1_700_000_000_000_000,
    untilMicroseconds: 1_800_000_000_000_000, after: 16, descending: false, limit: 10)
  /// A filled-in answer.
  public static let exampleResult = Result(triplets: [.example], next: 17)
}

/// What is known of one triplet besides its pixels.
public struct TripletInfo: Codable, Sendable, Equatable {
  /// Its identity.
  public var triplet: TripletID
  /// Columns of the image.
  public var width: Int
  /// Rows of the image.
  public var height: Int
  /// The text it was made from.
  public var prompt: String
  /// Its masks, in the order of the body's `masks`.
  public var masks: [MaskInfo]
  /// How it was made.
  public var provenance: Provenance
  /// Microseconds since 1970 at which the store took it.
  public var committedMicroseconds: Int64

  /// Creates a description.
  public init(
    triplet: TripletID, width: Int, height: Int, prompt: String, masks: [MaskInfo],
    provenance: Provenance, committedMicroseconds: Int64
  ) {
    self.triplet = triplet
    self.width = width
    self.height = height
    self.prompt = prompt
    self.masks = masks
    self.provenance = provenance
    self.committedMicroseconds = committedMicroseconds
  }

  static let example = TripletInfo(
    triplet: 17, width: 64, height: 64, prompt: "a photograph of a cat on the grass",
    masks: [
      MaskInfo(
        category: .cat, instance: 0, source: .exact, confidence: 1, visibleFraction: 0.75,
        pixelCount: 812)
    ],
    provenance: Provenance(
      engine: "scenes", modelFingerprint: "sprites-0123456789abcdef", seed: 42, sampler: "ddim",
      steps: 25, guidanceScale: 7.5, groundingFingerprint: "0123456789abcdef", worker: "local-0",
      createdMicroseconds: 1_700_000_000_000_000),
    committedMicroseconds: 1_700_000_000_100_000)
}

/// Reads one triplet.
///
/// The body holds `image` U8 `[height, width, 3]` and `masks` U8 `[masks, height, width]`.
public enum TripletGet: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The triplet.
    public var triplet: TripletID

    /// Creates parameters.
    public init(triplet: TripletID) { self.triplet = triplet }
  }

  /// Answers what is known of it.
  public typealias Result = TripletInfo
  /// The name on the wire.
  public static let name = "triplet.get"
  /// A filled-in request.
  public static let exampleParams = Params(triplet: 17)
  /// A filled-in answer.
  public static let exampleResult = TripletInfo.example
}

extension CategoryName {
  /// `cat`, for the examples.
  static let cat = CategoryName(known: "cat")
  /// `dog`, for the examples.
  static let dog = CategoryName(known: "dog")
}
