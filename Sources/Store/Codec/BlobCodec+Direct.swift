import Schema

/// Decoding straight into memory that the caller owns, without an array in between.
extension BlobCodec {
  /// How the pixels of a decoded image lie in memory.
  enum ImageLayout: Sendable {
    /// `[height, width, 3]`.
    case interleaved
    /// `[3, height, width]`.
    case planar
  }

  /// Decodes an image into `output`.
  ///
  /// - Parameters:
  ///   - output: `height · width · 3` bytes in the given layout; undefined after a throw.
  /// - Throws: ``StoreError/Code/corrupt`` when the payload does not give an image of that size.
  static func decodeImage(
    _ payload: UnsafeRawBufferPointer, codec: PackLayout.Codec, width: Int, height: Int,
    into output: UnsafeMutableRawBufferPointer, layout: ImageLayout
  ) throws(StoreError) {
    let count = width * height
    precondition(output.count == 3 * count, "\(output.count) bytes for \(width)x\(height)")
    let blob = unsafe EncodedBlob(codec: codec, payload: [UInt8](payload), decodedBytes: 3 * count)
    let image = try image(blob, width: width, height: height, of: 0)
    for pixel in 0..<count {
      for channel in 0..<3 {
        let index = layout == .planar ? channel * count + pixel : 3 * pixel + channel
        unsafe output[index] = image.pixels[3 * pixel + channel]
      }
    }
  }

  /// Writes `value` into `labels` wherever the mask is 1, and leaves the rest as it is.
  ///
  /// - Parameters:
  ///   - labels: `[height, width]`; undefined under the mask after a throw.
  /// - Throws: ``StoreError/Code/corrupt`` when the payload does not give a mask of that size.
  static func paintMask(
    _ payload: UnsafeRawBufferPointer, codec: PackLayout.Codec, width: Int, height: Int,
    value: UInt16, into labels: UnsafeMutableBufferPointer<UInt16>
  ) throws(StoreError) {
    precondition(labels.count == width * height, "\(labels.count) labels for \(width)x\(height)")
    let blob = unsafe EncodedBlob(
      codec: codec, payload: [UInt8](payload), decodedBytes: labels.count)
    let mask = try mask(blob, width: width, height: height, of: 0)
    for (pixel, isSet) in mask.values.enumerated() where isSet == 1 {
      unsafe labels[pixel] = value
    }
  }

  /// Writes the whole mask into `output`, each pixel 0 or 1.
  ///
  /// - Parameters:
  ///   - output: `[height, width]`; undefined after a throw.
  /// - Throws: ``StoreError/Code/corrupt`` when the payload does not give a mask of that size.
  static func fillMask(
    _ payload: UnsafeRawBufferPointer, codec: PackLayout.Codec, width: Int, height: Int,
    into output: UnsafeMutableBufferPointer<UInt8>
  ) throws(StoreError) {
    precondition(output.count == width * height, "\(output.count) bytes for \(width)x\(height)")
    let blob = unsafe EncodedBlob(
      codec: codec, payload: [UInt8](payload), decodedBytes: output.count)
    let mask = try mask(blob, width: width, height: height, of: 0)
    for (pixel, value) in mask.values.enumerated() { unsafe output[pixel] = value }
  }
}
