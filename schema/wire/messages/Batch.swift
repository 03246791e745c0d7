/// A piece of shared memory that holds one batch until ``BatchDone``.
public struct BatchSlot: Codable, Sendable, Equatable {
  /// Names the slot on this stream.
  public var slot: Int
  /// Bytes of the memory.
  public var capacityBytes: Int
  /// Bytes of the batch, from the first.
  public var bytes: Int
  /// Whether the memory's descriptor rides on this frame; it does the first time a slot is used.
  public var descriptor: Bool

  /// Creates a description.
  public init(slot: Int, capacityBytes: Int, bytes: Int, descriptor: Bool) {
    self.slot = slot
    self.capacityBytes = capacityBytes
    self.bytes = bytes
    self.descriptor = descriptor
  }
}

/// Where the time of a batch went, in microseconds.
public struct BatchWaits: Codable, Sendable, Equatable {
  /// Until a thin category had been filled.
  public var thinUs: Int
  /// Until there was room.
  public var quotaUs: Int
  /// Reading the catalog and the packs.
  public var diskUs: Int
  /// Decoding and laying out, as time passed.
  public var decodeUs: Int

  /// Creates figures.
  public init(
    thinUs: Int = 0, quotaUs: Int = 0, diskUs: Int = 0,
    decodeUs: Int = 0
  ) {
    self.thinUs = thinUs
    self.quotaUs = quotaUs
    self.diskUs = diskUs
    self.decodeUs = decodeUs
  }
}

/// Reads batch `k`: same stream, same `k`, same bytes.
///
/// The body holds, for `n` triplets of side `s`: `image` U8 `[n, s, s, 3]`; `labels` U16
/// `[n, s, s]` (0 background, position + 1 of the stream's categories, 65535 where an object of
/// another category is); `target` U8 `[n, s, s]`, the mask of the category each was drawn for;
/// `category` I32 `[n]`, that category's position in the stream; `triplet` I64 `[n]`;
/// `probability` F32 `[n]`, the chance that one draw is this triplet for this category; and where
/// they are asked for `instances` U8 `[m, s, s]`, the mask of each object, `instance_label` U16
/// `[m]`, its label, and `instance_offset` I64 `[n + 1]`, where each triplet's begin. With layout
/// `nchw` the image is `[n, 3, s, s]`. With delivery `memfd` the body is empty and the bytes are in
/// the slot that the answer names.
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
    /// Where the bytes are; absent when they are the body.
    public var slot: BatchSlot?
    /// What the batch waited for.
    public var waits: BatchWaits

    /// Creates an answer.
    public init(
      k: Int, token: ResumeToken, prompts: [String], epochs: [Int], thin: [CategoryName],
      slot: BatchSlot? = nil, waits: BatchWaits = BatchWaits()
    ) {
      self.k = k
      self.token = token
      self.prompts = prompts
      self.epochs = epochs
      self.thin = thin
      self.slot = slot
      self.waits = waits
    }
  }

  /// The name on the wire.
  public static let name = "batch.get"
  /// A filled-in request.
  public static let exampleParams = Params(stream: 1, k: 5)
  /// A filled-in answer.
  public static let exampleResult = Result(
    k: 5,
    token: .example(k: 6),
    prompts: ["a photograph of a cat on the grass"], epochs: [0], thin: [.dog],
    slot: BatchSlot(slot: 2, capacityBytes: 8192, bytes: 5120, descriptor: true),
    waits: BatchWaits(
      thinUs: 0, quotaUs: 0, diskUs: 80,
      decodeUs: 410))
}

/// Says that a batch is no longer needed; frees its quota.
public enum BatchDone: Method {
  /// Names the batch.
  public struct Params: Codable, Sendable, Equatable {
    /// The stream.
    public var stream: Int
    /// The batch's number.
    public var k: Int
    /// The slot that held it; absent for `inline`.
    public var slot: Int?
    /// Whether the memory is still looked at (by a forked process): the slot is then forgotten
    /// instead of used again.
    public var discard: Bool?

    /// Creates parameters.
    public init(stream: Int, k: Int, slot: Int? = nil, discard: Bool? = nil) {
      self.stream = stream
      self.k = k
      self.slot = slot
      self.discard = discard
    }
  }

  /// Answers nothing.
  public typealias Result = Empty
  /// The name on the wire.
  public static let name = "batch.done"
  /// A filled-in request.
  public static let exampleParams = Params(stream: 1, k: 5, slot: 2, discard: false)
  /// A filled-in answer.
  public static let exampleResult = Empty()
}
