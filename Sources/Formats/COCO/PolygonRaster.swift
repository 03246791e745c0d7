/// Fills polygons pixel by pixel as pycocotools does (`maskApi.c`, `rleFrPoly`), so that a mask
/// imported here is the mask that everybody else trains on.
package enum PolygonRaster {
  /// Points along the outlines of one object that are followed at most, five to a pixel.
  package static let maximumSteps = 1 << 24
  /// Pixels that a point may lie outside its image; the data sets themselves have such points.
  package static let tolerance = 1.0
  private static let scale = 5.0

  /// Sets the pixels inside one polygon, given as x, y, x, y, ….
  ///
  /// - Throws: ``FormatError/Code/badItem`` for fewer than three points, half a point, a point
  ///   outside the image, or an outline that is longer than `steps`, which falls by its length.
  package static func fill(
    _ coordinates: [Double], into values: inout [UInt8], width: Int, height: Int,
    steps: inout Int
  ) throws(FormatError) {
    guard coordinates.count >= 6, coordinates.count % 2 == 0 else {
      throw FormatError(
        .badItem,
        "a polygon of \(coordinates.count) numbers; expected three points or more, two numbers each"
      )
    }
    let count = coordinates.count / 2
    for point in 0..<count {
      let (x, y) = (coordinates[2 * point], coordinates[2 * point + 1])
      guard x >= -tolerance, x <= Double(width) + tolerance, y >= -tolerance,
        y <= Double(height) + tolerance
      else {
        throw FormatError(
          .badItem, "the point (\(x), \(y)) lies outside the image of \(width)x\(height) pixels")
      }
    }
    var xs = (0..<count).map { Int(scale * coordinates[2 * $0] + 0.5) }
    var ys = (0..<count).map { Int(scale * coordinates[2 * $0 + 1] + 0.5) }
    xs.append(xs[0])
    ys.append(ys[0])
    for point in 0..<count {
      steps -= max(abs(xs[point] - xs[point + 1]), abs(ys[point] - ys[point + 1])) + 1
    }
    guard steps >= 0 else {
      throw FormatError(
        .badItem, "outlines of more than \(maximumSteps) steps; simplify the polygons")
    }
    let outline = outline(xs, ys)
    let crossings = crossings(outline, width: width, height: height)
    paint(crossings, into: &values, width: width, height: height)
  }

  /// Every point along the outline.
  private static func outline(_ xs: [Int], _ ys: [Int]) -> [(u: Int, v: Int)] {
    var points: [(u: Int, v: Int)] = []
    for index in 0..<(xs.count - 1) {
      var (startX, endX, startY, endY) = (xs[index], xs[index + 1], ys[index], ys[index + 1])
      let (dx, dy) = (abs(endX - startX), abs(startY - endY))
      let isFlipped = (dx >= dy && startX > endX) || (dx < dy && startY > endY)
      if isFlipped { (startX, endX, startY, endY) = (endX, startX, endY, startY) }
      let longer = max(dx, dy)
      let across = dx >= dy ? endY - startY : endX - startX
      let slope = longer == 0 ? 0 : Double(across) / Double(longer)
      for step in 0...longer {
        let t = isFlipped ? longer - step : step
        if dx >= dy {
          points.append((t + startX, Int(Double(startY) + slope * Double(t) + 0.5)))
        } else {
          points.append((Int(Double(startX) + slope * Double(t) + 0.5), t + startY))
        }
      }
    }
    return points
  }

  /// Where the outline crosses the middle of a column, as positions down the columns.
  private static func crossings(
    _ points: [(u: Int, v: Int)], width: Int, height: Int
  ) -> [Int] {
    var positions: [Int] = []
    for index in points.indices.dropFirst() {
      let (last, point) = (points[index - 1], points[index])
      guard point.u != last.u else { continue }
      let x = (Double(point.u < last.u ? point.u : point.u - 1) + 0.5) / scale - 0.5
      guard x == x.rounded(.down), x >= 0, x <= Double(width - 1) else { continue }
      let y = (Double(min(point.v, last.v)) + 0.5) / scale - 0.5
      let row = Int(min(max(y, 0), Double(height)).rounded(.up))
      positions.append(Int(x) * height + row)
    }
    positions.append(width * height)
    return positions.sorted()
  }

  /// Fills between every other two crossings.
  private static func paint(
    _ crossings: [Int], into values: inout [UInt8], width: Int, height: Int
  ) {
    var start = 0
    for (index, end) in crossings.enumerated() {
      if index % 2 == 1 {
        RunLengths.paint(start..<end, into: &values, width: width, height: height)
      }
      start = end
    }
  }
}
