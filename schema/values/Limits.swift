/// Every bound of the protocol and the store, with its unit; `hello` reports them all.
///
/// A value at the limit is accepted, one above it is refused by name.
public struct Limits: Codable, Sendable, Equatable {
  /// Bytes of JSON in one request, or in one line of a newline-delimited connection.
  public var maximumJsonBytes = 1 << 20
  /// Bytes of JSON in one answer.
  public var maximumAnswerJsonBytes = 16 << 20
  /// Levels of nesting in that JSON.
  public var maximumJsonDepth = 32
  /// Bytes of the body behind a request.
  public var maximumRequestBodyBytes = 64 << 20
  /// Bytes of one batch, and so of the body behind a response.
  public var maximumBatchBytes = 256 << 20
  /// Descriptors that ride on one frame.
  public var maximumDescriptors = 4
  /// Connections of all clients together.
  public var maximumConnections = 1024
  /// Requests of one connection that have no answer yet.
  public var maximumOutstandingRequests = 64
  /// Bytes of answers that one connection has not read yet; a batch that would go above is refused.
  public var maximumUnreadBytes = 512 << 20
  /// Seconds that a connection may leave its answers unread, or a frame unfinished.
  public var stallSeconds = 30
  /// Open streams of one connection.
  public var maximumStreams = 64
  /// Batches in shared memory that one stream may have out.
  public var maximumStreamSlots = 64
  /// Bytes of shared memory of one connection.
  public var maximumSlotBytesPerConnection = 2 << 30
  /// Bytes of shared memory of one user's connections.
  public var maximumSlotBytesPerUser = 8 << 30
  /// Bytes of shared memory of all connections.
  public var maximumSlotBytes = 16 << 30
  /// Characters of a category name.
  public var maximumCategoryCharacters = 64
  /// Bytes of a prompt in UTF-8.
  public var maximumPromptBytes = 4096
  /// Categories in one request or one stream.
  public var maximumCategories = 4096
  /// Pixels along one side of an image.
  public var maximumImageSide = 2048
  /// Pixels along one side of an image.
  public var minimumImageSide = 8
  /// Masks of one triplet.
  public var maximumMasks = 256
  /// Triplets in one batch.
  public var maximumBatchSize = 4096
  /// The highest batch number.
  public var maximumBatchNumber = 1 << 40
  /// Triplets that one call imports.
  public var maximumImportItems = 64
  /// Work items that one call leases.
  public var maximumLeaseItems = 256
  /// Seconds that one lease lasts without renewal.
  public var maximumLeaseSeconds = 600
  /// Seconds that one request may wait for something to happen.
  public var maximumWaitSeconds = 3600
  /// Triplets that a category may be asked to have.
  public var maximumTarget = 10_000_000
  /// Rows in the answer to one query.
  public var maximumQueryRows = 1000
  /// Times that a work item is tried before it is parked.
  public var maximumAttempts = 3
  /// Times that a work item's worker vanishes before the item is parked.
  public var maximumLostLeases = 20

  /// The limits that this build enforces.
  public static let standard = Limits()

  /// The standard limits.
  public init() {}
}

extension Limits {
  /// Reads the limits that are there; one that the other side does not know keeps its default, so
  /// that an older daemon and a newer client understand each other.
  public init(from decoder: any Decoder) throws {
    self.init()
    let container = try decoder.container(keyedBy: CodingKeys.self)
    for (key, path) in Self.fields {
      if let value = try container.decodeIfPresent(Int.self, forKey: key) {
        self[keyPath: path] = value
      }
    }
  }

  private static var fields: [(CodingKeys, WritableKeyPath<Limits, Int>)] {
    [
      (.maximumJsonBytes, \.maximumJsonBytes),
      (.maximumAnswerJsonBytes, \.maximumAnswerJsonBytes),
      (.maximumJsonDepth, \.maximumJsonDepth),
      (.maximumRequestBodyBytes, \.maximumRequestBodyBytes),
      (.maximumBatchBytes, \.maximumBatchBytes),
      (.maximumDescriptors, \.maximumDescriptors),
      (.maximumConnections, \.maximumConnections),
      (.maximumOutstandingRequests, \.maximumOutstandingRequests),
      (.maximumUnreadBytes, \.maximumUnreadBytes),
      (.stallSeconds, \.stallSeconds),
      (.maximumStreams, \.maximumStreams),
      (.maximumStreamSlots, \.maximumStreamSlots),
      (.maximumSlotBytesPerConnection, \.maximumSlotBytesPerConnection),
      (.maximumSlotBytesPerUser, \.maximumSlotBytesPerUser),
      (.maximumSlotBytes, \.maximumSlotBytes),
      (.maximumCategoryCharacters, \.maximumCategoryCharacters),
      (.maximumPromptBytes, \.maximumPromptBytes),
      (.maximumCategories, \.maximumCategories),
      (.maximumImageSide, \.maximumImageSide),
      (.minimumImageSide, \.minimumImageSide),
      (.maximumMasks, \.maximumMasks),
      (.maximumBatchSize, \.maximumBatchSize),
      (.maximumBatchNumber, \.maximumBatchNumber),
      (.maximumImportItems, \.maximumImportItems),
      (.maximumLeaseItems, \.maximumLeaseItems),
      (.maximumLeaseSeconds, \.maximumLeaseSeconds),
      (.maximumWaitSeconds, \.maximumWaitSeconds),
      (.maximumTarget, \.maximumTarget),
      (.maximumQueryRows, \.maximumQueryRows),
      (.maximumAttempts, \.maximumAttempts),
      (.maximumLostLeases, \.maximumLostLeases),
    ]
  }
}
