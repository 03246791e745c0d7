import Schema
import Synchronization

/// How much shared memory the slots of all connections take, for the daemon's quotas.
final class SlotLedger: Sendable {
  private struct State {
    var total = 0
    var byUser: [UInt32: Int] = [:]
  }

  private let limits: Limits
  private let state = Mutex(State())

  /// A ledger that enforces `limits`.
  init(_ limits: Limits) { self.limits = limits }

  /// Notes new memory.
  ///
  /// - Parameter connectionBytes: what the connection has already.
  /// - Throws: ``DaemonError`` with `over_quota` naming the quota.
  func reserve(_ bytes: Int, user: UInt32, connectionBytes: Int) throws(DaemonError) {
    let refused: (held: Int, limit: Int, who: String)? = state.withLock { state in
      let quotas = [
        (connectionBytes, limits.maximumSlotBytesPerConnection, "this connection"),
        (state.byUser[user] ?? 0, limits.maximumSlotBytesPerUser, "user \(user)"),
        (state.total, limits.maximumSlotBytes, "all clients together"),
      ]
      if let full = quotas.first(where: { $0.0 + bytes > $0.1 }) { return full }
      state.total += bytes
      state.byUser[user, default: 0] += bytes
      return nil
    }
    guard let refused else { return }
    throw DaemonError(
      .overQuota,
      "a slot of \(bytes) bytes is too much: \(refused.who) may have \(refused.limit) bytes of "
        + "shared memory and has \(refused.held); ask for fewer slots, or give batches back",
      retryAfterMilliseconds: 1000)
  }

  /// Notes that memory was given back.
  func release(_ bytes: Int, user: UInt32) {
    state.withLock { state in
      state.total -= bytes
      state.byUser[user, default: 0] -= bytes
      if state.byUser[user] == 0 { state.byUser[user] = nil }
    }
  }

  /// Bytes of all slots.
  var totalBytes: Int { state.withLock { $0.total } }
}
