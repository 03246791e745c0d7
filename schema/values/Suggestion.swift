/// What somebody may have meant.
public enum Suggestion {
  /// The candidate nearest to a word, if it is near enough to be a slip of the fingers.
  public static func nearest(to word: String, among candidates: [String]) -> String? {
    let bound = max(1, word.count / 3)
    return
      candidates
      .map { (text: $0, distance: distance(Array(word), Array($0))) }
      .filter { $0.distance > 0 && $0.distance <= bound }
      .min { ($0.distance, $0.text) < ($1.distance, $1.text) }?
      .text
  }

  /// Insertions, deletions, replacements and swaps of neighbours that make one of the other.
  ///
  /// Source: optimal string alignment, a restriction of Damerau, CACM 7(3), 1964.
  static func distance(_ from: [Character], _ to: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...to.count)
    for i in from.indices {
      var row = [i + 1]
      for j in to.indices {
        var best = min(row[j] + 1, last[j + 1] + 1, last[j] + (from[i] == to[j] ? 0 : 1))
        if i > 0, j > 0, from[i] == to[j - 1], from[i - 1] == to[j] {
          best = min(best, beforeLast[j - 1] + 1)
        }
        row.append(best)
      }
      (beforeLast, last) = (last, row)
    }
    return last[to.count]
  }
}
