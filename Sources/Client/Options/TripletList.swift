import ArgumentParser
import Schema

/// Triplets as a user names them: `17`, or `20-30`.
struct TripletRange: ExpressibleByArgument {
  /// Triplets of the widest range.
  static let maximumCount: Int64 = 1_000_000

  /// The ids.
  let ids: ClosedRange<TripletID>

  init?(argument: String) {
    let parts = argument.split(separator: "-", omittingEmptySubsequences: false)
    guard let first = parts.first.flatMap({ TripletID($0) }), first >= 1, parts.count <= 2 else {
      return nil
    }
    guard let last = parts.count == 1 ? first : TripletID(parts[1]), last >= first,
      last - first < Self.maximumCount
    else { return nil }
    ids = first...last
  }

  /// All ids of some ranges, each once, in rising order, in pages as one request takes them.
  static func pages(_ ranges: [TripletRange]) -> [[TripletID]] {
    let ids = Set(ranges.flatMap(\.ids)).sorted()
    let size = Limits.standard.maximumQueryRows
    return stride(from: 0, to: ids.count, by: size).map { start in
      Array(ids[start..<min(start + size, ids.count)])
    }
  }
}
