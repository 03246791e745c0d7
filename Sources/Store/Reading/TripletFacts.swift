public import Schema

/// What a batch needs to know of one triplet: where its blobs lie and what they are.
public struct TripletFacts: Sendable {
  /// One mask.
  struct Mask: Sendable {
    /// The catalog's row of its category.
    let category: Int64
    let place: BlobPlace
  }

  /// Its id.
  public let triplet: TripletID
  /// Pixels along a row of its image.
  public let width: Int
  /// Rows of its image.
  public let height: Int
  /// The text it was made from.
  public let prompt: String
  /// Whether its bytes were found broken.
  let isQuarantined: Bool
  let image: BlobPlace
  let masks: [Mask]

  /// How many masks it has.
  public var maskCount: Int { masks.count }

  /// The catalog's row of the category of a mask.
  public func category(ofMask index: Int) -> Int64 { masks[index].category }

  /// About how many bytes of memory it takes.
  var memoryBytes: Int { 256 + prompt.utf8.count + masks.count * MemoryLayout<Mask>.stride }
}
