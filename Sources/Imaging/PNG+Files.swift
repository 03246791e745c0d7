private import Foundation
public import Schema

extension PNG {
  /// Bytes of the largest file that is read.
  public static let maximumFileBytes = 256 << 20

  /// Reads a file whole.
  ///
  /// - Throws: ``ImagingError/Code/badFile`` when it cannot be read or is over the limit.
  public static func bytes(ofFile path: String) throws(ImagingError) -> [UInt8] {
    do {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
      guard size <= maximumFileBytes else {
        throw ImagingError(
          .tooLarge, "\(path): \(size) bytes; at most \(maximumFileBytes) are read")
      }
      return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch let error as ImagingError {
      throw error
    } catch {
      let isThere = FileManager.default.fileExists(atPath: path)
      let reason = isThere ? error.localizedDescription : "no such file"
      throw ImagingError(.badFile, "\(path): cannot be read: \(reason)")
    }
  }

  /// Reads a file as colour.
  ///
  /// - Throws: ``ImagingError``, with the path in its message.
  public static func readRGB(_ path: String) throws(ImagingError) -> RGBImage {
    try decodeRGB(try bytes(ofFile: path), name: path)
  }

  /// Reads a file as colour and alpha.
  ///
  /// - Throws: ``ImagingError``, with the path in its message.
  public static func readRGBA(_ path: String) throws(ImagingError) -> RGBAImage {
    try decodeRGBA(try bytes(ofFile: path), name: path)
  }

  /// Writes a picture; a file of that name is replaced as a whole.
  ///
  /// - Throws: ``ImagingError``, with the path in its message.
  public static func write(_ image: RGBImage, to path: String) throws(ImagingError) {
    try write(bytes: try encode(image), to: path)
  }

  /// Writes a picture with alpha; a file of that name is replaced as a whole.
  ///
  /// - Throws: ``ImagingError``, with the path in its message.
  public static func write(_ image: RGBAImage, to path: String) throws(ImagingError) {
    try write(bytes: try encode(image), to: path)
  }

  /// Writes a mask as 0 and 255; a file of that name is replaced as a whole.
  ///
  /// - Throws: ``ImagingError``, with the path in its message.
  public static func write(_ mask: BinaryMask, to path: String) throws(ImagingError) {
    try write(bytes: try encode(mask), to: path)
  }

  private static func write(bytes: [UInt8], to path: String) throws(ImagingError) {
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw ImagingError(.badFile, "\(path): cannot be written", cause: error)
    }
  }
}
