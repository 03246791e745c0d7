private import CPNG
public import Schema

/// PNG in and out, through libpng's simplified interface (which returns errors instead of jumping
/// over Swift's frames).
public enum PNG {
  /// Pixels of the largest picture that is decoded; checked before any memory is taken for it.
  public static let maximumPixels = 64 << 20

  /// What the header of a PNG says.
  public struct Header: Sendable, Equatable {
    /// Columns.
    public let width: Int
    /// Rows.
    public let height: Int
    /// Whether the picture has transparency: an alpha channel or a transparent colour.
    public let hasAlpha: Bool
    /// Whether the picture has colour.
    public let hasColor: Bool
  }

  /// Reads the header only.
  ///
  /// - Throws: ``ImagingError/Code/badPNG``, ``ImagingError/Code/tooLarge``.
  public static func header(
    of bytes: [UInt8], name: String = "PNG"
  ) throws(ImagingError) -> Header {
    try decode(bytes, name: name, format: nil).header
  }

  /// Decodes to colour; what is transparent shows white behind it.
  ///
  /// - Parameter name: The file, for messages.
  /// - Throws: ``ImagingError/Code/badPNG``, ``ImagingError/Code/tooLarge``.
  public static func decodeRGB(
    _ bytes: [UInt8], name: String = "PNG"
  ) throws(ImagingError) -> RGBImage {
    let (header, pixels) = try decode(bytes, name: name, format: .rgb)
    return RGBImage(width: header.width, height: header.height, pixels: pixels)
  }

  /// Decodes to colour and straight alpha; a picture without transparency has alpha 255.
  ///
  /// - Parameter name: The file, for messages.
  /// - Throws: ``ImagingError/Code/badPNG``, ``ImagingError/Code/tooLarge``.
  public static func decodeRGBA(
    _ bytes: [UInt8], name: String = "PNG"
  ) throws(ImagingError) -> RGBAImage {
    let (header, pixels) = try decode(bytes, name: name, format: .rgba)
    return RGBAImage(width: header.width, height: header.height, pixels: pixels)
  }

  /// Decodes to gray; colour becomes luminance, what is transparent shows white behind it.
  ///
  /// - Parameter name: The file, for messages.
  /// - Throws: ``ImagingError/Code/badPNG``, ``ImagingError/Code/tooLarge``.
  public static func decodeGray(
    _ bytes: [UInt8], name: String = "PNG"
  ) throws(ImagingError) -> GrayImage {
    let (header, pixels) = try decode(bytes, name: name, format: .gray)
    return GrayImage(width: header.width, height: header.height, pixels: pixels)
  }

  /// Encodes colour.
  ///
  /// - Throws: ``ImagingError/Code/invalidArgument`` for a picture without pixels.
  public static func encode(_ image: RGBImage) throws(ImagingError) -> [UInt8] {
    try encode(image.pixels, width: image.width, height: image.height, format: .rgb)
  }

  /// Encodes colour and straight alpha.
  ///
  /// - Throws: ``ImagingError/Code/invalidArgument`` for a picture without pixels.
  public static func encode(_ image: RGBAImage) throws(ImagingError) -> [UInt8] {
    try encode(image.pixels, width: image.width, height: image.height, format: .rgba)
  }

  /// Encodes gray.
  ///
  /// - Throws: ``ImagingError/Code/invalidArgument`` for a picture without pixels.
  public static func encode(_ image: GrayImage) throws(ImagingError) -> [UInt8] {
    try encode(image.pixels, width: image.width, height: image.height, format: .gray)
  }

  /// Encodes a mask as gray: 0 for the background, 255 for the object.
  ///
  /// - Throws: ``ImagingError/Code/invalidArgument`` for a mask without pixels.
  public static func encode(_ mask: BinaryMask) throws(ImagingError) -> [UInt8] {
    let pixels = mask.values.map { $0 == 0 ? UInt8(0) : 255 }
    return try encode(pixels, width: mask.width, height: mask.height, format: .gray)
  }
}

extension PNG {
  private enum Format {
    case gray
    case rgb
    case rgba

    var code: UInt32 {
      switch self {
      case .gray: 0
      case .rgb: UInt32(PNG_FORMAT_FLAG_COLOR)
      case .rgba: UInt32(PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA)
      }
    }

    var channels: Int {
      switch self {
      case .gray: 1
      case .rgb: 3
      case .rgba: 4
      }
    }
  }

  /// Reads the header and, when `format` is given, the pixels.
  private static func decode(
    _ bytes: [UInt8], name: String, format: Format?
  ) throws(ImagingError) -> (header: Header, pixels: [UInt8]) {
    guard !bytes.isEmpty else {
      throw ImagingError(.badPNG, "\(name): an empty file; expected a PNG")
    }
    guard bytes.starts(with: signature) else {
      throw ImagingError(.badPNG, "\(name): not a PNG (its first bytes are not the PNG signature)")
    }
    let bytes = try essentialChunks(bytes, name: name)
    // Safe: libpng reads only `bytes.count` bytes while the closure holds them, writes only into
    // `pixels` of the size that the header and format demand, and `png_image_free` ends its use of
    // both before the closure returns.
    let result: Result<(Header, [UInt8]), ImagingError> = unsafe bytes.withUnsafeBytes { source in
      var control = unsafe png_image()
      unsafe control.version = UInt32(PNG_IMAGE_VERSION)
      defer { unsafe png_image_free(&control) }
      guard unsafe png_image_begin_read_from_memory(&control, source.baseAddress, source.count) != 0
      else { return .failure(broken(name, unsafe message(of: control))) }
      let header = Header(
        width: Int(unsafe control.width), height: Int(unsafe control.height),
        hasAlpha: unsafe control.format & UInt32(PNG_FORMAT_FLAG_ALPHA) != 0,
        hasColor: unsafe control.format & UInt32(PNG_FORMAT_FLAG_COLOR) != 0)
      guard header.width <= maximumPixels, header.height <= maximumPixels,
        header.width * header.height <= maximumPixels
      else {
        return .failure(
          ImagingError(
            .tooLarge,
            "\(name): \(header.width)x\(header.height) pixels; at most \(maximumPixels) are read"))
      }
      guard let format else { return .success((header, [])) }
      guard canHold(bytes, header) else {
        return .failure(
          ImagingError(
            .badPNG,
            "\(name): \(bytes.count) bytes cannot hold \(header.width)x\(header.height) pixels; the "
              + "file is cut off or its header is damaged"))
      }
      unsafe control.format = format.code
      var pixels = [UInt8](repeating: 0, count: header.width * header.height * format.channels)
      var white = png_color(red: 255, green: 255, blue: 255)
      let stride = Int32(header.width * format.channels)
      let isDone = unsafe pixels.withUnsafeMutableBytes { target in
        unsafe png_image_finish_read(&control, &white, target.baseAddress, stride, nil) != 0
      }
      guard isDone else { return .failure(broken(name, unsafe message(of: control))) }
      return .success((header, pixels))
    }
    return try result.get()
  }

  /// Whether a file of that many bytes can hold the pixels that its header announces: deflate makes
  /// at most 1032 bytes of one, so memory is never given to a header that cannot be true.
  private static func canHold(_ bytes: [UInt8], _ header: Header) -> Bool {
    // Depth and colour type lie at fixed places; libpng has checked them.
    guard bytes.count > 25 else { return false }
    let channels = [0: 1, 2: 3, 3: 1, 4: 2, 6: 4][bytes[25]] ?? 1
    let rowBytes = 1 + (header.width * channels * Int(bytes[24]) + 7) / 8
    return header.height * rowBytes / 1032 <= bytes.count
  }

  private static func encode(
    _ pixels: [UInt8], width: Int, height: Int, format: Format
  ) throws(ImagingError) -> [UInt8] {
    guard width > 0, height > 0, width * height <= maximumPixels else {
      throw ImagingError(
        .invalidArgument,
        "a picture of \(width)x\(height) pixels cannot be a PNG; expected 1 to \(maximumPixels)")
    }
    // Deflate never grows its input by more than a thousandth; a second try has the exact size.
    var capacity = pixels.count + pixels.count / 64 + height + 4096
    for _ in 0..<2 {
      var output = [UInt8](repeating: 0, count: capacity)
      var written = capacity
      var control = unsafe png_image()
      unsafe control.version = UInt32(PNG_IMAGE_VERSION)
      unsafe control.width = UInt32(width)
      unsafe control.height = UInt32(height)
      unsafe control.format = format.code
      // Safe: libpng reads `height` rows of `stride` bytes, which is `pixels.count`, and writes at
      // most `written` bytes, the size of `output`.
      let isDone = unsafe pixels.withUnsafeBytes { source in
        unsafe output.withUnsafeMutableBytes { target in
          unsafe png_image_write_to_memory(
            &control, target.baseAddress, &written, 0, source.baseAddress,
            Int32(width * format.channels), nil) != 0
        }
      }
      let text = unsafe message(of: control)
      unsafe png_image_free(&control)
      if isDone { return Array(output[..<written]) }
      guard written > capacity else {
        throw ImagingError(.invalidArgument, "cannot encode a PNG: \(text)")
      }
      capacity = written
    }
    throw ImagingError(.invalidArgument, "cannot encode a PNG: its size changed between two tries")
  }

  private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  private static func broken(_ name: String, _ text: String) -> ImagingError {
    ImagingError(.badPNG, "\(name): a broken or truncated PNG: \(text)")
  }

  /// The text that libpng left in its control structure.
  private static func message(of control: borrowing png_image) -> String {
    // Safe: reads the 64 bytes of the array that is part of the structure.
    let bytes = unsafe withUnsafeBytes(of: control.message) { unsafe Array($0) }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
