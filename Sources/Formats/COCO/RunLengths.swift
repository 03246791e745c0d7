package import Schema

/// Masks as COCO writes them: runs down the columns, zeros first.
///
/// The compressed text is the one of pycocotools (`maskApi.c`, `rleToString`, `rleFrString`): five
/// bits to a character from '0' on, every run from the third on less the one two before it.
package enum RunLengths {
  /// The runs of a mask.
  package static func encode(_ mask: BinaryMask) -> [Int] {
    var runs: [Int] = []
    var value: UInt8 = 0
    var length = 0
    for column in 0..<mask.width {
      var index = column
      for _ in 0..<mask.height {
        if mask.values[index] != value {
          runs.append(length)
          length = 0
          value = mask.values[index]
        }
        length += 1
        index += mask.width
      }
    }
    runs.append(length)
    return runs
  }

  /// A mask from its runs.
  ///
  /// - Throws: ``FormatError/Code/badItem`` when they are negative or do not fill the mask.
  package static func decode(
    _ runs: [Int], width: Int, height: Int
  ) throws(FormatError) -> BinaryMask {
    var values = [UInt8](repeating: 0, count: width * height)
    var end = 0
    for (index, run) in runs.enumerated() {
      guard run >= 0, run <= values.count - end else {
        throw FormatError(
          .badItem, "run \(index) is \(run), of \(values.count - end) pixels that are left")
      }
      if index % 2 == 1 { paint(end..<(end + run), into: &values, width: width, height: height) }
      end += run
    }
    guard end == values.count else {
      throw FormatError(
        .badItem, "the runs cover \(end) pixels, the image has \(values.count)")
    }
    return BinaryMask(width: width, height: height, values: values)
  }

  /// Sets a range of positions, counted down the columns.
  static func paint(
    _ range: Range<Int>, into values: inout [UInt8], width: Int, height: Int
  ) {
    guard !range.isEmpty else { return }
    var (column, row) = range.lowerBound.quotientAndRemainder(dividingBy: height)
    for _ in range {
      values[row * width + column] = 1
      row += 1
      if row == height {
        row = 0
        column += 1
      }
    }
  }

  /// The runs as compressed text.
  package static func text(_ runs: [Int]) -> [UInt8] {
    var text: [UInt8] = []
    for (index, run) in runs.enumerated() {
      var rest = index > 2 ? run - runs[index - 2] : run
      var hasMore = true
      while hasMore {
        var bits = UInt8(truncatingIfNeeded: rest & 0x1F)
        rest >>= 5
        hasMore = bits & 0x10 != 0 ? rest != -1 : rest != 0
        if hasMore { bits |= 0x20 }
        text.append(bits + 48)
      }
    }
    return text
  }

  /// The runs that compressed text stands for.
  ///
  /// - Throws: ``FormatError/Code/badItem`` when it is broken or stands for more than `maximum` runs.
  package static func runs(_ text: [UInt8], maximum: Int) throws(FormatError) -> [Int] {
    var runs: [Int] = []
    var position = 0
    while position < text.count {
      var run = 0
      var shift = 0
      var hasMore = true
      while hasMore {
        guard position < text.count else {
          throw FormatError(.badItem, "the runs end in the middle of a number")
        }
        guard (48..<112).contains(text[position]), shift <= 30 else {
          throw FormatError(.badItem, "character \(position) of the runs is none of theirs")
        }
        let bits = Int(text[position] - 48)
        position += 1
        run |= (bits & 0x1F) << shift
        shift += 5
        hasMore = bits & 0x20 != 0
        if !hasMore, bits & 0x10 != 0 { run |= -1 << shift }
      }
      if runs.count > 2 { run += runs[runs.count - 2] }
      guard run >= 0, run <= 1 << 32 else {
        throw FormatError(.badItem, "run \(runs.count) is \(run)")
      }
      guard runs.count < maximum else {
        throw FormatError(.badItem, "more than \(maximum) runs")
      }
      runs.append(run)
    }
    return runs
  }
}
