import Synchronization

/// Hashes of pieces that several threads fill in.
final class PieceHashes: Sendable {
  private let state: Mutex<[UInt64]>

  init(count: Int) { state = Mutex([UInt64](repeating: 0, count: count)) }

  func set(_ index: Int, _ value: UInt64) { state.withLock { $0[index] = value } }

  var values: [UInt64] { state.withLock { $0 } }
}
