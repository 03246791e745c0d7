/// Gives the space of deleted triplets back, while everything else goes on.
///
/// Forgets deleted triplets that no held snapshot shows, then empties packs with many dead bytes:
/// their live records move to the pack that is being written, and the file goes. One at a time;
/// reports `done_bytes` of `total_bytes` as it goes.
public enum Compact: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// Empties packs of which at least so many percent are dead, 1 to 100; 10 when absent.
    public var deadPercent: Int?

    /// Creates parameters.
    public init(deadPercent: Int? = nil) { self.deadPercent = deadPercent }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// Deleted triplets that are forgotten now.
    public var forgotten: Int
    /// Live triplets whose records moved.
    public var moved: Int
    /// Packs that are gone.
    public var packs: Int
    /// Bytes that packs take less than before.
    public var freedBytes: Int
    /// Dead bytes that are left: in packs with too few of them, or damaged ones.
    public var deadBytes: Int
    /// Deleted triplets that a held snapshot still shows.
    public var held: Int
    /// The oldest snapshot that is held; absent when none is.
    public var oldestHeld: Int64?
    /// Packs that were left because they hold damaged triplets: release or delete those first.
    public var damaged: [Int]

    /// Creates an answer.
    public init(
      forgotten: Int = 0, moved: Int = 0, packs: Int = 0, freedBytes: Int = 0, deadBytes: Int = 0,
      held: Int = 0, oldestHeld: Int64? = nil, damaged: [Int] = []
    ) {
      self.forgotten = forgotten
      self.moved = moved
      self.packs = packs
      self.freedBytes = freedBytes
      self.deadBytes = deadBytes
      self.held = held
      self.oldestHeld = oldestHeld
      self.damaged = damaged
    }
  }

  /// The share of dead bytes, in percent, from which a pack is worth emptying on request.
  public static let standardDeadPercent = 10
  /// The name on the wire.
  public static let name = "store.compact"
  /// A filled-in request.
  public static let exampleParams = Params(deadPercent: 20)
  /// A filled-in answer.
  public static let exampleResult = Result(
    forgotten: 120, moved: 4000, packs: 2, freedBytes: 1_400_000_000, deadBytes: 9_000_000,
    held: 30, oldestHeld: 1042, damaged: [3])
}
