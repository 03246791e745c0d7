/// Adds triplets that were made elsewhere, such as those of a data set.
///
/// The body holds, for item `i` of the request, `image{i}` U8 `[height, width, 3]` and `masks{i}`
/// U8 `[masks, height, width]` of 0 and 1. Answered when all are durable; either every item is
/// well-formed or none is stored. An item is known by its source and its name: one that the store
/// has already is answered with the triplet that it became and its pixels are not looked at, so a
/// request may be sent again. One whose triplet was deleted or set aside since is stored anew.
public enum TripletImport: Method {
  /// One triplet.
  public struct Item: Codable, Sendable, Equatable {
    /// Its name within the source, such as a file name; 1 to 1024 bytes.
    public var item: String
    /// The text that goes with the image; may be empty.
    public var prompt: String
    /// One for each of its masks, in their order.
    public var masks: [MaskInfo]

    /// Creates an item.
    public init(item: String, prompt: String, masks: [MaskInfo]) {
      self.item = item
      self.prompt = prompt
      self.masks = masks
    }
  }

  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// Where the items come from, such as `coco-val2017`; 1 to 256 bytes.
    public var source: String
    /// The items, each name once.
    public var items: [Item]

    /// Creates parameters.
    public init(source: String, items: [Item]) {
      self.source = source
      self.items = items
    }
  }

  /// What became of one item.
  public struct Outcome: Codable, Sendable, Equatable {
    /// The triplet that the item became.
    public var triplet: TripletID
    /// Whether the store had it before.
    public var duplicate: Bool

    /// Creates an outcome.
    public init(triplet: TripletID, duplicate: Bool) {
      self.triplet = triplet
      self.duplicate = duplicate
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// One for each item, in its order.
    public var outcomes: [Outcome]

    /// Creates an answer.
    public init(outcomes: [Outcome]) { self.outcomes = outcomes }
  }

  /// The name of the engine of every triplet that was imported.
  public static let engine = "import"
  /// Bytes of the longest name of an item.
  public static let maximumItemBytes = 1024

  /// The name on the wire.
  public static let name = "triplet.import"
  /// A filled-in request.
  public static let exampleParams = Params(
    source: "coco-val2017",
    items: [
      Item(
        item: "000000000139.jpg", prompt: "a cat on the grass", masks: TripletInfo.example.masks)
    ])
  /// A filled-in answer.
  public static let exampleResult = Result(outcomes: [Outcome(triplet: 17, duplicate: false)])
}

/// Which items of a source the store has already.
public enum ImportList: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// Where the items come from.
    public var source: String
    /// The names that are asked about, at most `maximum_query_rows`.
    public var items: [String]

    /// Creates parameters.
    public init(source: String, items: [String]) {
      self.source = source
      self.items = items
    }
  }

  /// An item that is there.
  public struct Known: Codable, Sendable, Equatable {
    /// Its name within the source.
    public var item: String
    /// The triplet that it became.
    public var triplet: TripletID

    /// Creates an entry.
    public init(item: String, triplet: TripletID) {
      self.item = item
      self.triplet = triplet
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// Those that the store has, in the order asked for.
    public var known: [Known]

    /// Creates an answer.
    public init(known: [Known]) { self.known = known }
  }

  /// The name on the wire.
  public static let name = "triplet.imported"
  /// A filled-in request.
  public static let exampleParams = Params(
    source: "coco-val2017", items: ["000000000139.jpg", "000000000285.jpg"])
  /// A filled-in answer.
  public static let exampleResult = Result(known: [Known(item: "000000000139.jpg", triplet: 17)])
}
