/// Finds triplets by words of their prompts, newest first.
///
/// All words must be there, in any order; `"cat on grass"` in quotes means these words side by side,
/// `photo*` any word that begins so, `-dog` none of these. Case and accents do not count. Any other
/// sign separates words, so no text is malformed.
public enum TripletSearch: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The words; at most 1000 bytes and 64 words.
    public var text: String
    /// Shows this category as well.
    public var category: CategoryName?
    /// Only those older than this triplet.
    public var after: TripletID?
    /// At most this many; 100 when absent.
    public var limit: Int?

    /// Creates parameters.
    public init(
      text: String, category: CategoryName? = nil, after: TripletID? = nil, limit: Int? = nil
    ) {
      self.text = text
      self.category = category
      self.after = after
      self.limit = limit
    }
  }

  /// Answers as ``TripletQuery`` does.
  public typealias Result = TripletQuery.Result

  /// Bytes of the longest text.
  public static let maximumTextBytes = 1000
  /// Words and phrases of a text at most.
  public static let maximumTerms = 64
  /// The name on the wire.
  public static let name = "triplet.search"
  /// A filled-in request.
  public static let exampleParams = Params(
    text: "cat on grass", category: .cat, after: 4711, limit: 10)
  /// A filled-in answer.
  public static let exampleResult = TripletQuery.exampleResult
}
