/// The pixels of one picture, `[height, width, 3]` of sRGB bytes, rows from the top.
public struct RGBImage: Sendable, Equatable {
  /// Columns.
  public let width: Int
  /// Rows.
  public let height: Int
  /// `height * width * 3` values in the order red, green, blue.
  public let pixels: [UInt8]

  /// Wraps pixels.
  ///
  /// - Precondition: `pixels` holds `height * width * 3` values.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(
      pixels.count == width * height * 3,
      "\(pixels.count) values for an RGB image of [\(height), \(width), 3]")
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}
