import Synchronization

/// Sums of pieces that several threads fill in, added up in order.
final class PartialSums: Sendable {
  private let state: Mutex<[[Double]]>

  init(count: Int) { state = Mutex([[Double]](repeating: [], count: count)) }

  func set(_ index: Int, _ sums: [Double]) { state.withLock { $0[index] = sums } }

  /// The sum of all pieces, of `width` values.
  func total(_ width: Int) -> [Double] {
    state.withLock { pieces in
      var total = [Double](repeating: 0, count: width)
      for piece in pieces {
        for (index, value) in piece.enumerated() { total[index] += value }
      }
      return total
    }
  }
}
