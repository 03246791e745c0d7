/// What to do with a category that has fewer triplets than the stream's minimum.
public enum OnThin: String, Codable, Sendable, CaseIterable {
  /// Start a backfill and open when it is done.
  case wait
  /// Draw the few again and again.
  case `repeat`
  /// Refuse to open.
  case fail
}

/// The five values that continue a stream anywhere.
public struct ResumeToken: Codable, Sendable, Equatable {
  /// The UUID of the store.
  public var store: String
  /// The snapshot that the stream sees.
  public var snapshot: Int64
  /// The policy.
  public var policy: SelectionPolicy
  /// The seed.
  public var seed: Int64
  /// The next batch.
  public var k: Int

  /// Creates a token.
  public init(store: String, snapshot: Int64, policy: SelectionPolicy, seed: Int64, k: Int) {
    self.store = store
    self.snapshot = snapshot
    self.policy = policy
    self.seed = seed
    self.k = k
  }
}

/// Opens a reproducible sequence of batches.
public enum StreamOpen: Method {
  /// What a caller sends; exactly one of `categories`, `split` and `all` is given.
  public struct Params: Codable, Sendable, Equatable {
    /// The categories, each once; position + 1 is the value in the label map.
    public var categories: [CategoryName]?
    /// The name of a split.
    public var split: String?
    /// Every category with at least one triplet, by name.
    public var all: Bool?
    /// Triplets in a batch, over all ranks.
    public var batchSize: Int
    /// Pixels along a side of the square images; needed when the store has several sizes.
    public var imageSize: Int?
    /// Seed, 0 to 2^53 - 1; 0 when absent.
    public var seed: Int64?
    /// `balanced` when absent.
    public var policy: String?
    /// Triplets each category must have; 1 when absent.
    public var minimum: Int?
    /// `wait` when absent.
    public var onThin: OnThin?
    /// Seconds that `wait` may take; 600 when absent.
    public var waitSeconds: Double?
    /// This reader's number; 0 when absent.
    public var rank: Int?
    /// Readers that share each batch; 1 when absent.
    public var world: Int?
    /// The snapshot to see; the newest when absent.
    public var snapshot: Int64?
    /// The UUID of the store that the snapshot belongs to, as a guard.
    public var store: String?
    /// `inline` when absent.
    public var delivery: String?

    /// Creates parameters.
    public init(
      categories: [CategoryName]? = nil, split: String? = nil, all: Bool? = nil, batchSize: Int,
      imageSize: Int? = nil, seed: Int64? = nil, policy: String? = nil, minimum: Int? = nil,
      onThin: OnThin? = nil, waitSeconds: Double? = nil, rank: Int? = nil, world: Int? = nil,
      snapshot: Int64? = nil, store: String? = nil, delivery: String? = nil
    ) {
      self.categories = categories
      self.split = split
      self.all = all
      self.batchSize = batchSize
      self.imageSize = imageSize
      self.seed = seed
      self.policy = policy
      self.minimum = minimum
      self.onThin = onThin
      self.waitSeconds = waitSeconds
      self.rank = rank
      self.world = world
      self.snapshot = snapshot
      self.store = store
      self.delivery = delivery
    }
  }

  /// One category of the stream.
  public struct Category: Codable, Sendable, Equatable {
    /// The category.
    public var category: CategoryName
    /// Its value in the label map, from 1.
    public var label: Int
    /// Triplets it has in the snapshot.
    public var stock: Int
    /// Whether it has fewer than the minimum.
    public var thin: Bool

    /// Creates a description.
    public init(category: CategoryName, label: Int, stock: Int, thin: Bool) {
      self.category = category
      self.label = label
      self.stock = stock
      self.thin = thin
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// Names the stream on this connection.
    public var stream: Int
    /// Continues it anywhere; begins at batch 0.
    public var token: ResumeToken
    /// Its categories, by label.
    public var categories: [Category]
    /// Triplets in a batch of this rank.
    public var batchSize: Int
    /// Pixels along a side of the images.
    public var imageSize: Int
    /// Batches until every category has been gone through once.
    public var epochBatches: Int
    /// Hash of all that decides what the stream draws.
    public var plan: String
    /// Triplets that a backfill made while the stream waited, by category.
    public var filled: [String: Int]

    /// Creates an answer.
    public init(
      stream: Int, token: ResumeToken, categories: [Category], batchSize: Int, imageSize: Int,
      epochBatches: Int, plan: String, filled: [String: Int]
    ) {
      self.stream = stream
      self.token = token
      self.categories = categories
      self.batchSize = batchSize
      self.imageSize = imageSize
      self.epochBatches = epochBatches
      self.plan = plan
      self.filled = filled
    }
  }

  /// The name on the wire.
  public static let name = "stream.open"
  /// A filled-in request.
  public static let exampleParams = Params(
    categories: [.cat, .dog], split: "pascal-1", all: true, batchSize: 32, imageSize: 64,
    seed: 7, policy: "balanced", minimum: 100, onThin: .wait, waitSeconds: 60, rank: 0, world: 1,
    snapshot: 1042, store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", delivery: "inline")
  /// A filled-in answer.
  public static let exampleResult = Result(
    stream: 1,
    token: ResumeToken(
      store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", snapshot: 1042, policy: .balanced, seed: 7,
      k: 0),
    categories: [Category(category: .cat, label: 1, stock: 100, thin: false)], batchSize: 32,
    imageSize: 64, epochBatches: 7, plan: "0123456789abcdef", filled: ["cat": 40])
}

/// Reads batch `k`: same stream, same `k`, same bytes.
///
/// The body holds, for `n` triplets of side `s`: `image` U8 `[n, s, s, 3]`; `labels` U16
/// `[n, s, s]` (0 background, position + 1 of the stream's categories, 65535 where an object of
/// another category is); `target` U8 `[n, s, s]`, the mask of the category each was drawn for;
/// `category` I32 `[n]`, that category's position in the stream; `triplet` I64 `[n]`;
/// `probability` F32 `[n]`, the chance that one draw is this triplet for this category.
public enum BatchGet: Method {
  /// The label of pixels whose category is outside the stream.
  public static let ignoreLabel: UInt16 = 65535

  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The stream.
    public var stream: Int
    /// The batch's number, from 0.
    public var k: Int

    /// Creates parameters.
    public init(stream: Int, k: Int) {
      self.stream = stream
      self.k = k
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// The batch's number.
    public var k: Int
    /// Continues the stream behind this batch.
    public var token: ResumeToken
    /// The texts, one for each triplet.
    public var prompts: [String]
    /// How often the category had been gone through before, one for each triplet.
    public var epochs: [Int]
    /// Categories in this batch that have fewer triplets than the stream's minimum.
    public var thin: [CategoryName]

    /// Creates an answer.
    public init(
      k: Int, token: ResumeToken, prompts: [String], epochs: [Int], thin: [CategoryName]
    ) {
      self.k = k
      self.token = token
      self.prompts = prompts
      self.epochs = epochs
      self.thin = thin
    }
  }

  /// The name on the wire.
  public static let name = "batch.get"
  /// A filled-in request.
  public static let exampleParams = Params(stream: 1, k: 5)
  /// A filled-in answer.
  public static let exampleResult = Result(
    k: 5,
    token: ResumeToken(
      store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", snapshot: 1042, policy: .balanced, seed: 7,
      k: 6),
    prompts: ["a photograph of a cat on the grass"], epochs: [0], thin: [.dog])
}

/// Says that a batch is no longer needed; frees its quota.
public enum BatchDone: Method {
  /// Names the batch.
  public typealias Params = BatchGet.Params
  /// Answers nothing.
  public typealias Result = Empty
  /// The name on the wire.
  public static let name = "batch.done"
  /// A filled-in request.
  public static let exampleParams = BatchGet.Params(stream: 1, k: 5)
  /// A filled-in answer.
  public static let exampleResult = Empty()
}

/// Closes a stream.
public enum StreamClose: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The stream.
    public var stream: Int

    /// Creates parameters.
    public init(stream: Int) { self.stream = stream }
  }

  /// Answers nothing.
  public typealias Result = Empty
  /// The name on the wire.
  public static let name = "stream.close"
  /// A filled-in request.
  public static let exampleParams = Params(stream: 1)
  /// A filled-in answer.
  public static let exampleResult = Empty()
}
