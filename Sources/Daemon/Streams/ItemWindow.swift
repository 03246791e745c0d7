import Imaging
import Schema

/// Brings the part of an image that an item shows to the size of the stream, in integers only.
struct ItemWindow {
  private let part: Augmentation
  private let sourceWidth: Int
  private let side: Int
  private let columns: AxisTaps
  private let rows: AxisTaps

  /// The window from `part` of an image of `sourceWidth` columns to `side` by `side` pixels.
  init(part: Augmentation, sourceWidth: Int, side: Int, filter: ResizeFilter) {
    self.part = part
    self.sourceWidth = sourceWidth
    self.side = side
    let filter: AxisTaps.Filter = filter == .area ? .area : .linear
    columns = AxisTaps(
      part: part.x..<(part.x + part.width), to: side, filter: filter, isFlipped: part.isFlipped)
    rows = AxisTaps(part: part.y..<(part.y + part.height), to: side, filter: filter)
  }

  /// Resizes `[height, width, 3]` to `[side, side, 3]`, or `[3, side, side]` when planar.
  ///
  /// - Precondition: `source` holds the part and `output` has `3 * side * side` bytes.
  @unsafe func resize(
    _ source: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, isPlanar: Bool
  ) {
    precondition(
      source.count >= (part.y + part.height) * sourceWidth * 3
        && output.count == 3 * side * side, "\(source.count) to \(output.count) bytes")
    let width = 3 * side
    // Products stay below 2^32 for sides up to 2048: 255 * 4096 * 4096.
    let divisor = UInt64(columns.denominator * rows.denominator)
    let across = unsafe shrunkRows(source)
    var sums = [UInt64](repeating: 0, count: width)
    // Safe: every index is below the counts that the precondition and the taps fix.
    for y in 0..<side {
      for value in 0..<width { sums[value] = divisor / 2 }
      for entry in rows.entries[rows.starts[y]..<rows.starts[y + 1]] {
        let (row, weight) = ((entry.index - part.y) * width, UInt64(entry.weight))
        for value in 0..<width { sums[value] &+= UInt64(across[row + value]) &* weight }
      }
      for x in 0..<side {
        for channel in 0..<3 {
          let to = isPlanar ? (channel * side + y) * side + x : (y * side + x) * 3 + channel
          unsafe output[to] = UInt8(truncatingIfNeeded: sums[3 * x + channel] / divisor)
        }
      }
    }
  }

  /// Applies the columns to each row of the part, without division: `[part.height, side, 3]`.
  private func shrunkRows(_ source: UnsafeRawBufferPointer) -> [UInt32] {
    var result = [UInt32](repeating: 0, count: part.height * side * 3)
    for y in 0..<part.height {
      let row = (part.y + y) * sourceWidth * 3
      for x in 0..<side {
        var (red, green, blue) = (UInt32(0), UInt32(0), UInt32(0))
        for entry in columns.entries[columns.starts[x]..<columns.starts[x + 1]] {
          let (at, weight) = (row + entry.index * 3, UInt32(entry.weight))
          // Safe: the taps lie inside the part, and the part inside the source.
          unsafe red &+= UInt32(source[at]) &* weight
          unsafe green &+= UInt32(source[at + 1]) &* weight
          unsafe blue &+= UInt32(source[at + 2]) &* weight
        }
        let to = (y * side + x) * 3
        (result[to], result[to + 1], result[to + 2]) = (red, green, blue)
      }
    }
    return result
  }

  /// Takes the nearest pixels of `[height, width]` to `[side, side]`.
  ///
  /// - Precondition: `source` holds the part and `output` has `side * side` values.
  @unsafe func nearest<Value>(
    _ source: UnsafeBufferPointer<Value>, into output: UnsafeMutableBufferPointer<Value>
  ) {
    precondition(
      source.count >= (part.y + part.height) * sourceWidth && output.count == side * side,
      "\(source.count) to \(output.count) values")
    let columns = (0..<side).map { position in
      part.x + nearestIndex(part.isFlipped ? side - 1 - position : position, part.width)
    }
    for y in 0..<side {
      let row = (part.y + nearestIndex(y, part.height)) * sourceWidth
      // Safe: the nearest pixels lie inside the part, and the part inside the source.
      for x in 0..<side { unsafe output[y * side + x] = source[row + columns[x]] }
    }
  }

  /// The source index whose pixel holds the centre of target pixel `index`.
  private func nearestIndex(_ index: Int, _ length: Int) -> Int {
    (2 * index + 1) * length / (2 * side)
  }
}
