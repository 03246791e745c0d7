import Schema
import Synchronization

/// Which session holds which lease, so that leases end with the connection of their owner.
///
/// A lease that is renewed on another connection belongs to that one from then on: a worker that
/// has reconnected keeps its items.
final class LeaseTable: Sendable {
  private struct State {
    var owners: [LeaseReference: (session: Int, order: Int)] = [:]
    var nextOrder = 0
  }

  private let state = Mutex(State())

  /// Gives leases to a session.
  func assign(_ leases: [LeaseReference], to session: Int) {
    state.withLock { state in
      for lease in leases {
        let order = state.owners[lease]?.order ?? state.nextOrder
        state.nextOrder += 1
        state.owners[lease] = (session, order)
      }
    }
  }

  /// Forgets leases that are over.
  func remove(_ leases: [LeaseReference]) {
    state.withLock { state in
      for lease in leases { state.owners[lease] = nil }
    }
  }

  /// Forgets and answers the leases of a session, in the order in which they were given.
  func remove(session: Int) -> [LeaseReference] {
    state.withLock { state in
      let leases = state.owners.filter { $0.value.session == session }
        .sorted { $0.value.order < $1.value.order }.map(\.key)
      for lease in leases { state.owners[lease] = nil }
      return leases
    }
  }
}
