/// Lists triplets that were set aside because their bytes or rows were found broken.
public enum QuarantineList: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// Begins behind this triplet.
    public var after: TripletID?
    /// At most this many; 100 when absent.
    public var limit: Int?

    /// Creates parameters.
    public init(after: TripletID? = nil, limit: Int? = nil) {
      self.after = after
      self.limit = limit
    }
  }

  /// One triplet that was set aside.
  public struct Entry: Codable, Sendable, Equatable {
    /// The triplet.
    public var triplet: TripletID
    /// When it was set aside, in microseconds since 1970.
    public var foundMicroseconds: Int64
    /// What was found.
    public var reason: String

    /// Creates an entry.
    public init(triplet: TripletID, foundMicroseconds: Int64, reason: String) {
      self.triplet = triplet
      self.foundMicroseconds = foundMicroseconds
      self.reason = reason
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// By their ids.
    public var triplets: [Entry]
    /// Ask with this as `after` for more; absent when there are none.
    public var next: TripletID?

    /// Creates an answer.
    public init(triplets: [Entry], next: TripletID?) {
      self.triplets = triplets
      self.next = next
    }
  }

  /// The name on the wire.
  public static let name = "quarantine.list"
  /// A filled-in request.
  public static let exampleParams = Params(after: 16, limit: 10)
  /// A filled-in answer.
  public static let exampleResult = Result(
    triplets: [
      Entry(
        triplet: 17, foundMicroseconds: 1_700_000_000_200_000,
        reason: "000001.pack at 64, triplet 17: the record belongs to another place")
    ], next: 17)
}

/// Takes triplets back that were set aside and are whole again, such as after a pack was restored.
///
/// Every byte is verified first; one that is still damaged stays set aside. A released triplet gets
/// a new id, since snapshots from after it was set aside must not show it; the old id is deleted.
public enum QuarantineRelease: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The triplets, at most `maximum_query_rows`.
    public var triplets: [TripletID]

    /// Creates parameters.
    public init(triplets: [TripletID]) { self.triplets = triplets }
  }

  /// A triplet that is back.
  public struct Released: Codable, Sendable, Equatable {
    /// The old id.
    public var triplet: TripletID
    /// The new one.
    public var became: TripletID

    /// Creates an entry.
    public init(triplet: TripletID, became: TripletID) {
      self.triplet = triplet
      self.became = became
    }
  }

  /// A triplet that stays set aside.
  public struct Damaged: Codable, Sendable, Equatable {
    /// The triplet.
    public var triplet: TripletID
    /// What is wrong with it.
    public var reason: String

    /// Creates an entry.
    public init(triplet: TripletID, reason: String) {
      self.triplet = triplet
      self.reason = reason
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// Those that are back.
    public var released: [Released]
    /// Those that are still damaged.
    public var damaged: [Damaged]
    /// Those that are not set aside, or not there.
    public var missing: [TripletID]

    /// Creates an answer.
    public init(released: [Released] = [], damaged: [Damaged] = [], missing: [TripletID] = []) {
      self.released = released
      self.damaged = damaged
      self.missing = missing
    }
  }

  /// The name on the wire.
  public static let name = "quarantine.release"
  /// A filled-in request.
  public static let exampleParams = Params(triplets: [17, 18, 4711])
  /// A filled-in answer.
  public static let exampleResult = Result(
    released: [Released(triplet: 17, became: 1044)],
    damaged: [Damaged(triplet: 18, reason: "000001.pack at 640, triplet 18: checksum")],
    missing: [4711])
}

/// Counts everything afresh from the rows and corrects what disagrees: stocks, finished items of
/// jobs, live bytes of packs, the full text of prompts.
public enum Recount: Method {
  /// Takes nothing.
  public typealias Params = Empty

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// What was wrong and is corrected, one sentence each, at most 100.
    public var corrected: [String]
    /// What no recount corrects, such as a triplet without masks.
    public var left: [String]

    /// Creates an answer.
    public init(corrected: [String], left: [String]) {
      self.corrected = corrected
      self.left = left
    }
  }

  /// The name on the wire.
  public static let name = "store.recount"
  /// A filled-in request.
  public static let exampleParams = Empty()
  /// A filled-in answer.
  public static let exampleResult = Result(
    corrected: ["category 'cat': a recount gives stock 61, the catalog says 60"],
    left: ["triplet 17 has no mask"])
}
