/// A picture with transparency, `[height, width, 4]` of sRGB bytes and straight (not
/// premultiplied) alpha, rows from the top.
public struct RGBAImage: Sendable, Equatable {
  /// Columns.
  public let width: Int
  /// Rows.
  public let height: Int
  /// `height * width * 4` values in the order red, green, blue, alpha.
  public let pixels: [UInt8]

  /// Wraps pixels.
  ///
  /// - Precondition: `pixels` holds `height * width * 4` values.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(
      pixels.count == width * height * 4,
      "\(pixels.count) values for an RGBA image of [\(height), \(width), 4]")
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}

/// One value per pixel, `[height, width]`, rows from the top.
public struct GrayImage: Sendable, Equatable {
  /// Columns.
  public let width: Int
  /// Rows.
  public let height: Int
  /// `height * width` values.
  public let pixels: [UInt8]

  /// Wraps pixels.
  ///
  /// - Precondition: `pixels` holds `height * width` values.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(
      pixels.count == width * height,
      "\(pixels.count) values for a gray image of [\(height), \(width)]")
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}
