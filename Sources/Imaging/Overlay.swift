public import Schema

/// Shows masks on the picture that they belong to.
public enum Overlay {
  /// Tints each mask with its colour and draws its outline; later masks lie on top.
  ///
  /// - Parameter share: Parts of 256 that the tint covers of what is below it.
  /// - Precondition: Each mask has the picture's size.
  public static func tint(
    _ image: RGBImage, masks: [(mask: BinaryMask, color: RGBColor)], share: Int = 104,
    drawsOutline: Bool = true
  ) -> RGBImage {
    var canvas = Canvas(image)
    for (mask, color) in masks {
      precondition(
        mask.width == image.width && mask.height == image.height,
        "a mask of \(mask.width)x\(mask.height) on a picture of \(image.width)x\(image.height)")
      fill(mask, color, share: share, on: &canvas)
    }
    guard drawsOutline else { return canvas.image }
    for (mask, color) in masks { outline(mask, color, on: &canvas) }
    return canvas.image
  }

  private static func fill(
    _ mask: BinaryMask, _ color: RGBColor, share: Int, on canvas: inout Canvas
  ) {
    for y in 0..<mask.height {
      for x in 0..<mask.width where mask.values[y * mask.width + x] != 0 {
        canvas.fill(x: x, y: y, width: 1, height: 1, color, share: share)
      }
    }
  }

  /// Draws the pixels of the mask that touch one outside it, and those at the picture's edge.
  private static func outline(_ mask: BinaryMask, _ color: RGBColor, on canvas: inout Canvas) {
    func isInside(_ x: Int, _ y: Int) -> Bool {
      x >= 0 && x < mask.width && y >= 0 && y < mask.height
        && mask.values[y * mask.width + x] != 0
    }
    for y in 0..<mask.height {
      for x in 0..<mask.width where isInside(x, y) {
        let isEdge =
          !isInside(x - 1, y) || !isInside(x + 1, y) || !isInside(x, y - 1) || !isInside(x, y + 1)
        if isEdge { canvas.plot(x, y, color) }
      }
    }
  }
}
