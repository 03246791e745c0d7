import Schema

/// Three planes G, R−G, B−G, each row but the first minus the row above, all modulo 256.
///
/// Neighbouring rows and the three colours of a picture are alike, so most differences are near
/// zero, which LZ4 can use. Reversible without loss.
enum PlanarDelta {
  /// `[height, width, 3]` → `[3, height, width]` of differences.
  static func encode(_ image: RGBImage) -> [UInt8] {
    let count = image.width * image.height
    let width = image.width
    // Safe: every index is below 3 · count, the size of both buffers.
    return unsafe [UInt8](unsafeUninitializedCapacity: 3 * count) { planes, filled in
      unsafe image.pixels.withUnsafeBufferPointer { pixels in
        for pixel in 0..<count {
          let green = unsafe pixels[3 * pixel + 1]
          unsafe planes[pixel] = green
          unsafe planes[count + pixel] = pixels[3 * pixel] &- green
          unsafe planes[2 * count + pixel] = pixels[3 * pixel + 2] &- green
        }
      }
      for plane in 0..<3 {
        for pixel in stride(from: count - 1, through: width, by: -1) {
          let index = plane * count + pixel
          unsafe planes[index] = planes[index] &- planes[index - width]
        }
      }
      filled = 3 * count
    }
  }

  /// `[3, height, width]` of differences → `[height, width, 3]`.
  ///
  /// - Precondition: `planes` holds `3 · height · width` values.
  static func decode(_ planes: [UInt8], width: Int, height: Int) -> [UInt8] {
    let count = width * height
    precondition(planes.count == 3 * count, "\(planes.count) values for \(width)x\(height)")
    var planes = planes
    // Safe: every index is below 3 · count, the size of both buffers.
    return unsafe [UInt8](unsafeUninitializedCapacity: 3 * count) { pixels, filled in
      unsafe planes.withUnsafeMutableBufferPointer { planes in
        for plane in 0..<3 {
          for index in (plane * count + width)..<max((plane + 1) * count, plane * count + width) {
            unsafe planes[index] = planes[index] &+ planes[index - width]
          }
        }
        for pixel in 0..<count {
          let green = unsafe planes[pixel]
          unsafe pixels[3 * pixel] = planes[count + pixel] &+ green
          unsafe pixels[3 * pixel + 1] = green
          unsafe pixels[3 * pixel + 2] = planes[2 * count + pixel] &+ green
        }
      }
      filled = 3 * count
    }
  }
}
