import Imaging
package import Schema
private import Foundation

/// The files of a data set, read with limits.
package enum DatasetFile {
  /// Bytes of the largest index (annotations, prompts) that is read.
  package static let maximumIndexBytes = 2 << 30
  /// Bytes of the largest picture that is read.
  package static let maximumPictureBytes = 64 << 20

  /// Reads a file whole.
  ///
  /// - Throws: `code` when there is none, it is no plain file, or it is over the limit.
  package static func bytes(
    _ path: String, maximumBytes: Int, _ code: FormatError.Code
  ) throws(FormatError) -> [UInt8] {
    do {
      let attributes = try FileManager.default.attributesOfItem(
        atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
      guard attributes[.type] as? FileAttributeType == .typeRegular else {
        throw FormatError(code, "\(path): no plain file")
      }
      let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
      guard size <= maximumBytes else {
        throw FormatError(code, "\(path): \(size) bytes; at most \(maximumBytes) are read")
      }
      return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch let error as FormatError {
      throw error
    } catch {
      let isMissing = (error as? CocoaError)?.code == .fileReadNoSuchFile
      throw FormatError(
        code, isMissing ? "\(path): no such file" : "\(path): cannot be read: \(error)")
    }
  }

  /// Joins a name from a data set to its folder; a name that leads out of it is refused.
  ///
  /// - Throws: ``FormatError/Code/badItem``.
  package static func path(_ name: String, in folder: String) throws(FormatError) -> String {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard !name.isEmpty, !name.utf8.contains(0), !name.hasPrefix("/"), !parts.contains("..") else {
      throw FormatError(
        .badItem, "the file name '\(name.prefix(80))' is no path inside the folder of the images")
    }
    return folder + "/" + name
  }

  /// Reads an image.
  ///
  /// - Throws: ``FormatError/Code/badItem``; a size that no store takes is refused before any pixel
  ///   is decoded.
  package static func image(_ path: String) throws(FormatError) -> RGBImage {
    try image(try picture(path), name: path)
  }

  /// Decodes an image.
  package static func image(_ bytes: [UInt8], name: String) throws(FormatError) -> RGBImage {
    do throws(ImagingError) {
      try checkSize(try PNG.header(of: bytes, name: name), name)
      return try PNG.decodeRGB(bytes, name: name)
    } catch {
      throw FormatError(.badItem, error.message)
    }
  }

  /// Reads a mask: 1 where any colour is above 0 and the picture is not transparent.
  ///
  /// - Throws: ``FormatError/Code/badItem``.
  package static func mask(_ path: String) throws(FormatError) -> BinaryMask {
    try mask(try picture(path), name: path)
  }

  /// Decodes a mask.
  package static func mask(_ bytes: [UInt8], name: String) throws(FormatError) -> BinaryMask {
    do throws(ImagingError) {
      let header = try PNG.header(of: bytes, name: name)
      try checkSize(header, name)
      if header.hasAlpha {
        let pixels = try PNG.decodeRGBA(bytes, name: name).pixels
        return mask(header) { index in
          pixels[4 * index + 3] >= 128
            && pixels[4 * index] | pixels[4 * index + 1] | pixels[4 * index + 2] > 0
        }
      }
      if header.hasColor {
        let pixels = try PNG.decodeRGB(bytes, name: name).pixels
        return mask(header) { index in
          pixels[3 * index] | pixels[3 * index + 1] | pixels[3 * index + 2] > 0
        }
      }
      let pixels = try PNG.decodeGray(bytes, name: name).pixels
      return mask(header) { pixels[$0] > 0 }
    } catch {
      throw FormatError(.badItem, error.message)
    }
  }

  private static func mask(_ header: PNG.Header, _ isObject: (Int) -> Bool) -> BinaryMask {
    BinaryMask(
      width: header.width, height: header.height,
      values: (0..<(header.width * header.height)).map { isObject($0) ? 1 : 0 })
  }

  private static func picture(_ path: String) throws(FormatError) -> [UInt8] {
    try bytes(path, maximumBytes: maximumPictureBytes, .badItem)
  }

  private static func checkSize(_ header: PNG.Header, _ name: String) throws(ImagingError) {
    let sides = Limits.standard.minimumImageSide...Limits.standard.maximumImageSide
    guard sides.contains(header.width), sides.contains(header.height) else {
      throw ImagingError(
        .tooLarge,
        "\(name): \(header.width)x\(header.height) pixels; each side must be "
          + "\(sides.lowerBound) to \(sides.upperBound): resize it first")
    }
  }
}
