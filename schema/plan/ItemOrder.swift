/// The order in which a stream goes through one category's triplets, computable at any turn.
///
/// A turn is one draw of the category, counted from 0. Epoch after epoch every triplet comes once,
/// in an order of the epoch's own. The list may grow where an epoch ends: an edge.
public struct ItemOrder: Sendable, Equatable {
  /// From a turn on, that many triplets.
  public struct Edge: Sendable, Equatable {
    /// The first turn that it holds for; an epoch begins there.
    public let turn: Int
    /// Triplets of the category from then on.
    public let count: Int
    /// Epochs before it.
    let epoch: Int
  }

  /// Edges of one order; a list that would grow more often stays as it is.
  public static let maximumEdges = 1024
  /// The highest turn of an edge: what a double holds exactly.
  private static let maximumTurn = 1 << 53

  /// The edges, the first at turn 0, turns rising.
  public private(set) var edges: [Edge]
  private let key: PlanKey

  /// An order without later edges.
  init(_ name: CategoryName, count: Int, seed: Int64) {
    edges = [Edge(turn: 0, count: count, epoch: 0)]
    key = PlanKey(seed: seed, name.text)
  }

  /// Two orders of one category are equal when their edges are.
  public static func == (one: ItemOrder, other: ItemOrder) -> Bool { one.edges == other.edges }

  /// The triplet of a turn: its place in the category's list, the epoch, and the list's length.
  func item(_ turn: Int) -> (item: Int, epoch: Int, count: Int) {
    let edge = edge(turn)
    let (epochs, step) = (turn - edge.turn).quotientAndRemainder(dividingBy: edge.count)
    let epoch = edge.epoch + epochs
    return (KeyedPermutation(count: edge.count, key: key(epoch))(step), epoch, edge.count)
  }

  /// The first turn, at or behind `turn`, at which an epoch begins by the edges so far.
  public func epochStart(atOrAfter turn: Int) -> Int {
    let edge = edge(turn)
    return edge.turn + (turn - edge.turn + edge.count - 1) / edge.count * edge.count
  }

  /// Lets the list have `count` triplets from `turn` on.
  ///
  /// - Throws: ``SchemaError/Code/invalidArgument`` when no epoch ends there, an edge is there or
  ///   behind it, or the list would shrink.
  public mutating func grow(to count: Int, at turn: Int) throws(SchemaError) {
    let last = edges[edges.count - 1]
    guard turn > last.turn, turn <= Self.maximumTurn, (turn - last.turn) % last.count == 0,
      count >= last.count, count <= 1 << 32
    else {
      throw SchemaError(
        .invalidArgument,
        "an edge at turn \(turn) to \(count) triplets, behind one at turn \(last.turn) to "
          + "\(last.count); expected a later epoch's first turn and no fewer triplets")
    }
    guard edges.count < Self.maximumEdges else {
      throw SchemaError(.invalidArgument, "more than \(Self.maximumEdges) edges of a category")
    }
    let epoch = last.epoch + (turn - last.turn) / last.count
    edges.append(Edge(turn: turn, count: count, epoch: epoch))
  }

  private func edge(_ turn: Int) -> Edge {
    var (low, high) = (0, edges.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if edges[middle].turn <= turn { low = middle } else { high = middle - 1 }
    }
    return edges[low]
  }
}
