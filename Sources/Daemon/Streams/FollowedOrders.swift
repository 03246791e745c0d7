import Schema
import Store
import Synchronization

/// How far the lists of a following stream have grown, shared by all ranks of one plan.
///
/// Whether a list grows where an epoch ends is decided once, for whoever gets there first, and
/// never again: batches stay what they were.
final class FollowedOrders: Sendable {
  /// What is decided.
  struct State: Sendable {
    /// The lists, as long as the edges need them or longer.
    var view: SnapshotView
    /// The edges at which a list grew.
    var orders: [ItemOrder]
    /// Per category the turn up to which edges are decided; an epoch ends there.
    var decided: [Int]

    /// Nothing is decided beyond the first epochs.
    init(_ view: SnapshotView, _ plan: BatchPlan) {
      self.view = view
      orders = plan.orders
      decided = plan.categories.map(\.count)
    }
  }

  private let state: Mutex<State>

  /// Orders that begin with what is decided already.
  init(_ state: State) { self.state = Mutex(state) }

  /// The draws of a batch and their triplets.
  ///
  /// - Throws: ``StoreError`` when the store cannot be asked for a longer list.
  func draw(
    _ number: Int, _ plan: BatchPlan, _ store: TripletStore
  ) async throws -> (draws: [Draw], ids: [TripletID]) {
    let turns = plan.lastTurns(batch: number)
    let due = state.withLock { state in
      turns.indices.filter { (turns[$0] ?? -1) >= state.decided[$0] }
    }
    if !due.isEmpty {
      let grown = try await store.grown(state.withLock { $0.view }, due)
      state.withLock { state in
        for category in due {
          state.decide(category, upTo: turns[category] ?? 0, grown)
        }
      }
    }
    let (orders, view) = state.withLock { ($0.orders, $0.view) }
    var plan = plan
    plan.orders = orders
    let draws = plan.draws(batch: number)
    return (draws, view.triplets(draws))
  }

  /// The plan with the edges decided so far.
  func applied(to plan: BatchPlan) -> BatchPlan {
    var plan = plan
    plan.orders = state.withLock { $0.orders }
    return plan
  }

  /// The edges as a token carries them: behind the last at which a list grew, one that repeats its
  /// count where the last decided epoch begins.
  func edges(_ plan: BatchPlan) -> [String: [[Int]]] {
    let state = state.withLock { $0 }
    var edges: [String: [[Int]]] = [:]
    for (category, order) in state.orders.enumerated() {
      var list = order.edges.map { [$0.turn, $0.count] }
      if let last = order.edges.last, state.decided[category] - last.count > last.turn {
        list.append([state.decided[category] - last.count, last.count])
      }
      edges[plan.categories[category].name.text] = list
    }
    return edges
  }

  /// Takes over what another state has decided beyond this one.
  ///
  /// - Throws: ``ErrorWord/snapshotGone`` when both have decided an edge differently.
  func merge(_ other: State, _ plan: BatchPlan) throws(DaemonError) {
    try state.withLock { (state) throws(DaemonError) in
      for category in plan.categories.indices {
        let horizon = min(state.decided[category], other.decided[category])
        let (ours, theirs) = (state.orders[category], other.orders[category])
        guard
          ours.edges.filter({ $0.turn < horizon }) == theirs.edges.filter({ $0.turn < horizon })
        else {
          throw DaemonError(
            .snapshotGone,
            "the token's edges of '\(plan.categories[category].name)' are not those that the "
              + "open streams of this plan follow; open all of its ranks with tokens of one moment")
        }
        guard other.decided[category] > state.decided[category] else { continue }
        state.orders[category] = theirs
        state.decided[category] = other.decided[category]
        state.view.take([category], from: other.view)
      }
    }
  }
}

extension FollowedOrders.State {
  /// Decides a category's edges until `turn` is inside a decided epoch.
  fileprivate mutating func decide(_ category: Int, upTo turn: Int, _ grown: SnapshotView) {
    guard turn >= decided[category] else { return }
    let count = grown.categories[category].count
    let last = orders[category].edges.last?.count ?? 0
    var order = orders[category]
    if count > last, order.edges.count < ItemOrder.maximumEdges {
      do throws(SchemaError) {
        try order.grow(to: count, at: decided[category])
        orders[category] = order
        view.take([category], from: grown)
      } catch {
        preconditionFailure("\(error)")
      }
    }
    decided[category] = orders[category].epochStart(atOrAfter: max(turn, decided[category]) + 1)
  }

  /// What a token has decided.
  ///
  /// - Throws: ``ErrorWord/invalidParams`` when the edges are none of this plan's.
  mutating func apply(_ edges: [String: [[Int]]], _ plan: BatchPlan) throws(DaemonError) {
    for (text, list) in edges.sorted(by: { $0.key < $1.key }) {
      guard let category = plan.categories.firstIndex(where: { $0.name.text == text }) else {
        throw DaemonError(
          .invalidParams, "edges name '\(text.prefix(64))', which is not in the stream")
      }
      let count = plan.categories[category].count
      guard list.first == [0, count], list.allSatisfy({ $0.count == 2 }) else {
        throw DaemonError(
          .invalidParams,
          "edges of '\(text)' are \(list.prefix(3)); expected pairs of a turn and a count, the "
            + "first [0, \(count)]")
      }
      for edge in list.dropFirst() { try apply(edge[0], edge[1], category, text) }
    }
  }

  private mutating func apply(
    _ turn: Int, _ count: Int, _ category: Int, _ name: String
  ) throws(DaemonError) {
    var order = orders[category]
    guard turn >= decided[category] else {
      throw DaemonError(
        .invalidParams,
        "edges of '\(name)': turn \(turn) lies in an epoch that another edge has decided")
    }
    do throws(SchemaError) {
      // Checks an edge that only repeats the count as well.
      try order.grow(to: count, at: turn)
    } catch {
      throw DaemonError(.invalidParams, "edges of '\(name)': \(error.message)")
    }
    if count > orders[category].edges.last?.count ?? 0 { orders[category] = order }
    decided[category] = turn + count
  }
}

/// The followed plans that are open, by what their ranks share.
final class FollowTable: Sendable {
  private struct Entry: Sendable {
    weak var orders: FollowedOrders?
  }

  private let entries = Mutex<[String: Entry]>([:])

  /// The orders of the plan `key`, which know what `state` knows.
  ///
  /// - Throws: ``ErrorWord/snapshotGone`` when the open ones contradict it.
  func join(
    _ key: String, _ state: FollowedOrders.State, _ plan: BatchPlan
  ) throws(DaemonError) -> FollowedOrders {
    try entries.withLock { (entries) throws(DaemonError) in
      if let open = entries[key]?.orders {
        try open.merge(state, plan)
        return open
      }
      let orders = FollowedOrders(state)
      entries = entries.filter { $0.value.orders != nil }
      entries[key] = Entry(orders: orders)
      return orders
    }
  }
}
