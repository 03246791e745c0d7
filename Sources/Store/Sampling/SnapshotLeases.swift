import Synchronization

/// Which snapshots must stay whole: those that somebody holds, and for a while those that somebody
/// held.
///
/// The rows of a deleted triplet go once every snapshot that is held is at or behind its deletion.
/// What is held and what is closed are decided under one lock, so that a snapshot that was given
/// out is never taken apart.
final class SnapshotLeases: Sendable {
  private struct State {
    /// How often each snapshot is held.
    var held: [Int64: Int] = [:]
    /// Until when a snapshot stays although nobody holds it, in microseconds since 1970.
    var kept: [Int64: Int64] = [:]
    /// Snapshots before this one are gone.
    var oldest: Int64
  }

  private let state: Mutex<State>
  /// Microseconds that a snapshot stays behind a holder who has not said that he is done.
  let lingerMicroseconds: Int64
  private let clock: @Sendable () -> Int64

  /// Leases of a store of which snapshots from `oldest` on are whole.
  ///
  /// - Parameter kept: until when snapshots stay that an earlier process gave out.
  init(
    oldest: Int64, kept: [Int64: Int64], lingerSeconds: Int,
    clock: @escaping @Sendable () -> Int64
  ) {
    state = Mutex(State(kept: kept, oldest: oldest))
    lingerMicroseconds = Int64(lingerSeconds) * 1_000_000
    self.clock = clock
  }

  /// Snapshots before this one have lost triplets.
  var oldest: Int64 { state.withLock { $0.oldest } }

  /// Holds a snapshot, or the one that `newest` gives.
  ///
  /// - Throws: ``StoreError/Code/snapshotGone``.
  func hold(_ snapshot: Int64?, newest: () -> Int64) throws(StoreError) -> SnapshotHold {
    let (taken, oldest) = state.withLock { state -> (Int64?, Int64) in
      // Under the lock: what is deleted from here on is deleted behind this snapshot.
      let wanted = snapshot ?? newest()
      guard wanted >= state.oldest else { return (nil, state.oldest) }
      state.held[wanted, default: 0] += 1
      return (wanted, state.oldest)
    }
    guard let taken else { throw Self.gone(snapshot ?? 0, oldest: oldest) }
    return SnapshotHold(taken, self)
  }

  fileprivate func release(_ snapshot: Int64, isDone: Bool) {
    let until = clock() + lingerMicroseconds
    state.withLock { state in
      let left = (state.held[snapshot] ?? 1) - 1
      state.held[snapshot] = left > 0 ? left : nil
      guard !isDone, lingerMicroseconds > 0 else { return }
      state.kept[snapshot] = max(state.kept[snapshot] ?? 0, until)
    }
  }

  /// The oldest snapshot that must stay whole; nil when none must.
  func oldestNeeded(now: Int64) -> Int64? {
    state.withLock { Self.oldestNeeded(&$0, now) }
  }

  /// Takes note that snapshots before `sequence` are to lose triplets; false when one of them is
  /// still needed.
  func closeSnapshots(before sequence: Int64, now: Int64) -> Bool {
    state.withLock { state in
      if let needed = Self.oldestNeeded(&state, now), needed < sequence { return false }
      state.oldest = max(state.oldest, sequence)
      return true
    }
  }

  /// Until when each snapshot is to stay if this process ends now.
  func promises(now: Int64) -> [Int64: Int64] {
    guard lingerMicroseconds > 0 else { return [:] }
    return state.withLock { state in
      _ = Self.oldestNeeded(&state, now)
      var promises = state.kept
      for snapshot in state.held.keys { promises[snapshot] = now + lingerMicroseconds }
      return promises
    }
  }

  private static func oldestNeeded(_ state: inout State, _ now: Int64) -> Int64? {
    state.kept = state.kept.filter { $0.value > now }
    let kept = state.kept.keys.min()
    guard let held = state.held.keys.min() else { return kept }
    return min(held, kept ?? held)
  }

  static func gone(_ snapshot: Int64, oldest: Int64) -> StoreError {
    StoreError(
      .snapshotGone,
      "snapshot \(snapshot) has lost triplets that were deleted since; the oldest that is whole is "
        + "\(oldest): open the stream anew")
  }
}

/// Keeps a snapshot whole as long as it lives.
public final class SnapshotHold: Sendable {
  /// The snapshot.
  public let snapshot: Int64
  private let leases: SnapshotLeases
  private let isDone = Atomic<Bool>(false)

  fileprivate init(_ snapshot: Int64, _ leases: SnapshotLeases) {
    self.snapshot = snapshot
    self.leases = leases
  }

  deinit { leases.release(snapshot, isDone: isDone.load(ordering: .acquiring)) }

  /// Says that nobody will come back for the snapshot: it goes with the last holder.
  public func finish() { isDone.store(true, ordering: .releasing) }
}

extension TripletStore {
  /// Keeps a snapshot (the newest when nil) whole until the answer and all its copies are gone.
  ///
  /// - Throws: ``StoreError/Code/snapshotGone``.
  public nonisolated func hold(_ snapshot: Int64? = nil) throws(StoreError) -> SnapshotHold {
    let newest = index.read { $0.snapshot }
    if let snapshot, !(0...newest).contains(snapshot) {
      throw StoreError(
        .snapshotGone, "snapshot \(snapshot) is not in this store, whose newest is \(newest)")
    }
    return try leases.hold(snapshot) { index.read { $0.snapshot } }
  }
}
