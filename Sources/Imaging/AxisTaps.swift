/// Which source pixels make up each target pixel along one axis, with whole-number weights that
/// sum to ``denominator``.
public struct AxisTaps: Sendable {
  /// How an axis changes its length.
  public enum Filter: Sendable {
    /// The mean of what a pixel covers where the axis shrinks, `linear` where it grows.
    case area
    /// Between the two nearest pixel centres.
    case linear
  }

  /// Target pixels.
  public let count: Int
  /// The sum of the weights of each target pixel.
  public private(set) var denominator: Int
  /// Where the taps of each target pixel begin in ``entries``; one more than there are pixels.
  public private(set) var starts: [Int] = [0]
  /// Source pixels and their weights.
  public private(set) var entries: [(index: Int, weight: Int)] = []

  /// The taps from the pixels `part` of a source to `target` pixels, in reverse when flipped.
  ///
  /// - Precondition: both are 1 to ``Resize/maximumSide`` long.
  public init(
    part: Range<Int>, to target: Int, filter: Filter = .area, isFlipped: Bool = false
  ) {
    let source = part.count
    precondition(
      (1...Resize.maximumSide).contains(source) && (1...Resize.maximumSide).contains(target),
      "an axis from \(source) to \(target)")
    count = target
    // Shrinking: in units of 1/target source pixels, each target pixel is `source` wide.
    // Growing: in units of 1/(2 target), pixel centres lie at odd numbers times `source`.
    let isArea = filter == .area && target <= source
    denominator = isArea ? source : 2 * target
    for position in 0..<target {
      let index = isFlipped ? target - 1 - position : position
      if isArea {
        appendArea(index, source: source, target: target, from: part.lowerBound)
      } else {
        appendLine(index, source: source, target: target, from: part.lowerBound)
      }
      starts.append(entries.count)
    }
  }

  /// The taps of one target pixel.
  func taps(of index: Int) -> ArraySlice<(index: Int, weight: Int)> {
    entries[starts[index]..<starts[index + 1]]
  }

  private mutating func appendArea(_ index: Int, source: Int, target: Int, from first: Int) {
    let (begin, end) = (index * source, (index + 1) * source)
    for column in (begin / target)...((end - 1) / target) {
      let overlap = min(end, (column + 1) * target) - max(begin, column * target)
      entries.append((first + column, overlap))
    }
  }

  private mutating func appendLine(_ index: Int, source: Int, target: Int, from first: Int) {
    let position = max(0, (2 * index + 1) * source - target)
    let left = min(position / (2 * target), source - 1)
    let fraction = position - left * 2 * target
    guard left + 1 < source, fraction > 0 else {
      entries.append((first + left, denominator))
      return
    }
    entries.append((first + left, denominator - fraction))
    entries.append((first + left + 1, fraction))
  }
}
