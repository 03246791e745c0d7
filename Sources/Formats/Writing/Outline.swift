package import Schema

/// The border of a mask as one closed line along the edges of its pixels.
///
/// Parts that hang apart and the rims of holes are joined by cuts that the line goes along once in
/// each direction, so that filling it by the even-odd rule gives back every pixel.
package enum Outline {
  /// A corner between pixels, counted from the upper left.
  package struct Corner: Hashable, Sendable {
    package let x: Int
    package let y: Int
  }

  /// The corners of the line; empty for an empty mask.
  package static func corners(_ mask: BinaryMask) -> [Corner] {
    let rings = rings(mask)
    guard let first = rings.first else { return [] }
    var line = first
    for ring in rings.dropFirst() {
      // Out along a cut from the line's start, around, and back to the start.
      line.append(first[0])
      line += ring
      line.append(ring[0])
      line.append(first[0])
    }
    return line
  }

  /// Closed lines around the object and its holes, each without its first corner at the end.
  private static func rings(_ mask: BinaryMask) -> [[Corner]] {
    let (width, height) = (mask.width, mask.height)
    func isObject(_ x: Int, _ y: Int) -> Bool {
      x >= 0 && y >= 0 && x < width && y < height && mask.values[y * width + x] == 1
    }
    // Every edge between an object pixel and another has a direction: the object to its right.
    var edges: [Corner: [Corner]] = [:]
    var starts: [Corner] = []
    func add(_ x0: Int, _ y0: Int, _ x1: Int, _ y1: Int) {
      edges[Corner(x: x0, y: y0), default: []].append(Corner(x: x1, y: y1))
      starts.append(Corner(x: x0, y: y0))
    }
    for y in 0..<height {
      for x in 0..<width where isObject(x, y) {
        if !isObject(x, y - 1) { add(x, y, x + 1, y) }
        if !isObject(x + 1, y) { add(x + 1, y, x + 1, y + 1) }
        if !isObject(x, y + 1) { add(x + 1, y + 1, x, y + 1) }
        if !isObject(x - 1, y) { add(x, y + 1, x, y) }
      }
    }
    var rings: [[Corner]] = []
    for start in starts {
      while edges[start]?.isEmpty == false {
        var ring: [Corner] = []
        var corner = start
        repeat {
          guard let next = edges[corner]?.popLast() else { break }
          append(corner, to: &ring)
          corner = next
        } while corner != start
        // The last corner may lie in the middle of the line back to the first.
        append(start, to: &ring)
        ring.removeLast()
        rings.append(ring)
      }
    }
    return rings
  }

  /// Adds a corner; one in the middle of a straight line makes way for it.
  private static func append(_ corner: Corner, to ring: inout [Corner]) {
    if ring.count >= 2 {
      let (a, b) = (ring[ring.count - 2], ring[ring.count - 1])
      if (a.x == b.x && b.x == corner.x) || (a.y == b.y && b.y == corner.y) { ring.removeLast() }
    }
    ring.append(corner)
  }
}
