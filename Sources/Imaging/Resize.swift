public import Schema

/// Changes of size, in integers only, so that every machine gets the same bytes.
public enum Resize {
  /// Pixels along one side of the largest picture that is made.
  public static let maximumSide = 16384

  /// Resizes colour: an axis that shrinks averages the area behind each pixel, one that grows
  /// interpolates between the two nearest pixel centres.
  ///
  /// - Precondition: All sides are 1 to ``maximumSide``.
  public static func image(_ source: RGBImage, width: Int, height: Int) -> RGBImage {
    requireSides(source.width, source.height, width, height)
    if source.width == width && source.height == height { return source }
    let columns = AxisTaps(part: 0..<source.width, to: width)
    let rows = AxisTaps(part: 0..<source.height, to: height)
    let across = resizeRows(source, columns)
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    let divisor = columns.denominator * rows.denominator
    for y in 0..<height {
      for value in 0..<(width * 3) {
        var sum = 0
        for (row, weight) in rows.taps(of: y) { sum += across[row * width * 3 + value] * weight }
        pixels[y * width * 3 + value] = UInt8((sum + divisor / 2) / divisor)
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  /// Resizes colour by taking the nearest pixel.
  ///
  /// - Precondition: All sides are 1 to ``maximumSide``.
  public static func nearest(_ source: RGBImage, width: Int, height: Int) -> RGBImage {
    let pixels = nearest(
      source.pixels, channels: 3, from: (source.width, source.height), to: (width, height))
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  /// Resizes a mask by taking the nearest pixel.
  ///
  /// - Precondition: All sides are 1 to ``maximumSide``.
  public static func nearest(_ source: BinaryMask, width: Int, height: Int) -> BinaryMask {
    let values = nearest(
      source.values, channels: 1, from: (source.width, source.height), to: (width, height))
    return BinaryMask(width: width, height: height, values: values)
  }

  /// Resizes a label map `[sourceHeight, sourceWidth]` by taking the nearest pixel.
  ///
  /// - Precondition: `labels` holds `sourceHeight * sourceWidth` values; all sides are 1 to
  ///   ``maximumSide``.
  public static func nearest(
    labels: [UInt16], sourceWidth: Int, sourceHeight: Int, width: Int, height: Int
  ) -> [UInt16] {
    nearest(labels, channels: 1, from: (sourceWidth, sourceHeight), to: (width, height))
  }

  private static func nearest<Value>(
    _ values: [Value], channels: Int, from source: (width: Int, height: Int),
    to target: (width: Int, height: Int)
  ) -> [Value] {
    requireSides(source.width, source.height, target.width, target.height)
    precondition(
      values.count == source.width * source.height * channels,
      "\(values.count) values for [\(source.height), \(source.width), \(channels)]")
    let offsets = (0..<target.width).map {
      nearestIndex($0, from: source.width, to: target.width) * channels
    }
    var result: [Value] = []
    result.reserveCapacity(target.width * target.height * channels)
    for y in 0..<target.height {
      let row =
        nearestIndex(y, from: source.height, to: target.height) * source.width * channels
      for offset in offsets {
        for channel in 0..<channels { result.append(values[row + offset + channel]) }
      }
    }
    return result
  }

  /// The source index whose pixel holds the centre of target pixel `index`.
  private static func nearestIndex(_ index: Int, from source: Int, to target: Int) -> Int {
    (2 * index + 1) * source / (2 * target)
  }

  /// Applies `columns` to each row, without division: `[height, columns.count, 3]`.
  private static func resizeRows(_ source: RGBImage, _ columns: AxisTaps) -> [Int] {
    var result = [Int](repeating: 0, count: source.height * columns.count * 3)
    for y in 0..<source.height {
      let row = y * source.width * 3
      for x in 0..<columns.count {
        var (red, green, blue) = (0, 0, 0)
        for (column, weight) in columns.taps(of: x) {
          let at = row + column * 3
          red += Int(source.pixels[at]) * weight
          green += Int(source.pixels[at + 1]) * weight
          blue += Int(source.pixels[at + 2]) * weight
        }
        let to = (y * columns.count + x) * 3
        (result[to], result[to + 1], result[to + 2]) = (red, green, blue)
      }
    }
    return result
  }

  private static func requireSides(_ sides: Int...) {
    precondition(
      sides.allSatisfy { $0 >= 1 && $0 <= maximumSide },
      "sides \(sides); expected 1 to \(maximumSide)")
  }
}
