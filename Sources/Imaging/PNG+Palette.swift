private import CPNG

extension PNG {
  /// Encodes a picture whose pixels are numbers of colours in a palette.
  ///
  /// - Parameter palette: 1 to 256 colours; all of them are written.
  /// - Throws: ``ImagingError/Code/invalidArgument`` for a picture without pixels, or a number that
  ///   the palette does not have.
  public static func encode(
    indices: [UInt8], width: Int, height: Int, palette: [RGBColor]
  ) throws(ImagingError) -> [UInt8] {
    guard width > 0, height > 0, width * height <= maximumPixels, indices.count == width * height,
      (1...256).contains(palette.count), indices.allSatisfy({ Int($0) < palette.count })
    else {
      throw ImagingError(
        .invalidArgument,
        "\(indices.count) numbers of \(palette.count) colours are no picture of \(width)x\(height)")
    }
    let colours = palette.flatMap { [$0.red, $0.green, $0.blue] }
    let capacity = indices.count + indices.count / 64 + height + 8192
    var output = [UInt8](repeating: 0, count: capacity)
    var written = capacity
    var control = unsafe png_image()
    unsafe control.version = UInt32(PNG_IMAGE_VERSION)
    unsafe control.width = UInt32(width)
    unsafe control.height = UInt32(height)
    unsafe control.format = UInt32(PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_COLORMAP)
    unsafe control.colormap_entries = UInt32(palette.count)
    // Safe: libpng reads `height` rows of `width` bytes and three bytes a colour, all of which the
    // guard has counted, and writes at most `written` bytes, the size of `output`.
    let isDone = unsafe indices.withUnsafeBytes { source in
      unsafe colours.withUnsafeBytes { map in
        unsafe output.withUnsafeMutableBytes { target in
          unsafe png_image_write_to_memory(
            &control, target.baseAddress, &written, 0, source.baseAddress, Int32(width),
            map.baseAddress) != 0
        }
      }
    }
    unsafe png_image_free(&control)
    guard isDone else {
      throw ImagingError(.invalidArgument, "cannot encode a PNG with a palette")
    }
    return Array(output[..<written])
  }
}
