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
    /// One positive number for each category, in order; needed by `weights`, and needs
    /// `categories`.
    public var weights: [Double]?
    /// `repeat-factor`: the share of draws below which a category is repeated; 0.001 when absent.
    public var threshold: Double?
    /// `repeat-factor`: how strongly; 0.5 when absent.
    public var power: Double?
    /// `mixture`: the categories of the second group; all others are the first.
    public var unseen: [CategoryName]?
    /// `mixture`: the second group's share of the draws, 0 to 1; 0.5 when absent.
    public var unseenShare: Double?
    /// Whether a category takes newer triplets in whenever it has been gone through.
    public var follow: Bool?
    /// Where a stream that follows took triplets in, from its token.
    public var edges: [String: [[Int]]]?
    /// How often a triplet of a thin category is drawn before more have to be made; needs `follow`.
    public var maximumDraws: Int?
    /// The tensors wanted; all but `instances` when absent.
    public var tensors: [BatchTensor]?
    /// `nhwc` when absent.
    public var layout: PixelLayout?
    /// How images change their size, `area` when absent; masks take the nearest pixel.
    public var resize: ResizeFilter?
    /// Whether every other triplet, by chance, is mirrored.
    public var flip: Bool?
    /// Lowest and highest share of the area of a random crop.
    public var crop: [Double]?
    /// Whether answers carry prompts; true when absent.
    public var prompts: Bool?
    /// Batches in shared memory that the client wants to hold at a time; 4 when absent.
    public var slots: Int?

    /// Creates parameters; what is seldom given is set afterwards.
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
    /// `inline` or `memfd`, as granted.
    public var delivery: String
    /// The tensors of its batches, in their order.
    public var tensors: [BatchTensor]
    /// How the image tensor lies.
    public var layout: PixelLayout
    /// Batches in shared memory that the client may hold at a time; 0 for `inline`.
    public var slots: Int
    /// The share of the draws that each category gets in the long run, by label.
    public var shares: [Double]

    /// Creates an answer.
    public init(
      stream: Int, token: ResumeToken, categories: [Category], batchSize: Int, imageSize: Int,
      epochBatches: Int, plan: String, filled: [String: Int], delivery: String = "inline",
      tensors: [BatchTensor] = BatchTensor.standard, layout: PixelLayout = .nhwc, slots: Int = 0,
      shares: [Double]
    ) {
      self.stream = stream
      self.token = token
      self.categories = categories
      self.batchSize = batchSize
      self.imageSize = imageSize
      self.epochBatches = epochBatches
      self.plan = plan
      self.filled = filled
      self.delivery = delivery
      self.tensors = tensors
      self.layout = layout
      self.slots = slots
      self.shares = shares
    }
  }

  /// The name on the wire.
  public static let name = "stream.open"
  /// A filled-in request.
  public static let exampleParams: Params = {
    var params = Params(
      categories: [.cat, .dog], split: "pascal-1", all: true, batchSize: 32, imageSize: 64,
      seed: 7, policy: "balanced", minimum: 100, onThin: .wait, waitSeconds: 60, rank: 0, world: 1,
      snapshot: 1042, store: "7c9e6679-7425-40de-944b-e07fc1f90ae7", delivery: "inline")
    params.weights = [2, 1]
    params.threshold = 0.001
    params.power = 0.5
    params.unseen = [.dog]
    params.unseenShare = 0.5
    params.follow = true
    params.edges = ["cat": [[100, 120]]]
    params.maximumDraws = 3
    params.tensors = [.image, .labels]
    params.layout = .nhwc
    params.resize = .area
    params.flip = true
    params.crop = [0.5, 1]
    params.prompts = true
    params.slots = 4
    return params
  }()
  /// A filled-in answer.
  public static let exampleResult = Result(
    stream: 1,
    token: .example(k: 0),
    categories: [Category(category: .cat, label: 1, stock: 100, thin: false)], batchSize: 32,
    imageSize: 64, epochBatches: 7, plan: "0123456789abcdef", filled: ["cat": 40],
    delivery: "memfd", tensors: [.image, .labels], layout: .nhwc, slots: 4, shares: [1])
}
