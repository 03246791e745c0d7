private import CCodec
import Schema

/// Decoding straight into memory that the caller owns, without an array in between.
///
/// Payloads come from disks: every decoder checks each length before it uses it, and whatever the
/// bytes say, none traps and none writes outside its output.
extension BlobCodec {
  /// How the pixels of a decoded image lie in memory.
  enum ImageLayout: Sendable {
    /// `[height, width, 3]`.
    case interleaved
    /// `[3, height, width]`.
    case planar
  }

  /// How many parts of an image can be decoded apart from each other, on several cores.
  static func bandCount(codec: PackLayout.Codec, width: Int, height: Int) -> Int {
    codec == .bitPlanesLZ4 && isCodable(width, height) ? gc_band_count(width, height) : 1
  }

  /// Decodes an image, or some of its bands, into `output`.
  ///
  /// - Parameters:
  ///   - output: all `height · width · 3` bytes of the image in the given layout; undefined after a
  ///     throw.
  ///   - bands: Those to decode, of ``bandCount(codec:width:height:)``; all when nil. The rest of
  ///     `output` stays as it is.
  /// - Throws: ``StoreError/Code/corrupt`` when the payload does not give an image of that size.
  /// - Precondition: `output` has that size.
  static func decodeImage(
    _ payload: UnsafeRawBufferPointer, codec: PackLayout.Codec, width: Int, height: Int,
    into output: UnsafeMutableRawBufferPointer, layout: ImageLayout, bands: Range<Int>? = nil
  ) throws(StoreError) {
    let count = width * height
    precondition(output.count == 3 * count, "\(output.count) bytes for \(width)x\(height)")
    // Safe: the preconditions and guards fix every size; C reads `payload` and writes `output` only.
    let isDecoded: Bool
    switch codec {
    case .bitPlanesLZ4:
      guard isCodable(width, height) else { isDecoded = false; break }
      let bands = bands ?? 0..<gc_band_count(width, height)
      let status = unsafe gc_decode_image(
        payload.baseAddress?.assumingMemoryBound(to: UInt8.self), payload.count, width, height,
        bands.lowerBound, bands.upperBound, layout == .planar ? 1 : 0,
        output.baseAddress?.assumingMemoryBound(to: UInt8.self))
      isDecoded = Int(status) == GC_DONE
    case .raw:
      isDecoded = payload.count == output.count
      if isDecoded { unsafe arrange(payload, into: output, layout: layout) }
    case .planarDeltaLZ4:
      let planes = unsafe LZ4.decompress([UInt8](payload)[...], count: 3 * count)
      let pixels = planes.map { PlanarDelta.decode($0, width: width, height: height) }
      isDecoded = pixels != nil
      unsafe pixels?.withUnsafeBytes { unsafe arrange($0, into: output, layout: layout) }
    case .runsLZ4, .bitsLZ4:
      isDecoded = false
    }
    guard isDecoded else { throw undecodable(payload.count, codec, "image", width, height) }
  }

  /// Writes `value` into `labels` wherever the mask is 1, and leaves the rest as it is.
  ///
  /// - Parameters:
  ///   - labels: `[height, width]`; undefined after a throw.
  /// - Throws: ``StoreError/Code/corrupt`` when the payload does not give a mask of that size.
  /// - Precondition: `labels` has that size.
  static func paintMask(
    _ payload: UnsafeRawBufferPointer, codec: PackLayout.Codec, width: Int, height: Int,
    value: UInt16, into labels: UnsafeMutableBufferPointer<UInt16>
  ) throws(StoreError) {
    precondition(labels.count == width * height, "\(labels.count) labels for \(width)x\(height)")
    // Safe: the count is that of both the mask and the labels; C checks the bytes of the mask.
    let isPainted = unsafe withMask(payload, codec: codec, pixelCount: labels.count) {
      form, bytes in
      switch form {
      case .runs:
        unsafe gc_paint_runs(
          bytes.baseAddress, bytes.count, labels.count, value, labels.baseAddress)
      case .bytes:
        unsafe gc_paint_bytes(bytes.baseAddress, labels.count, value, labels.baseAddress)
      case .bits:
        unsafe paintedBits(bytes, labels.count) {
          unsafe gc_paint_bits($0, labels.count, value, labels.baseAddress)
        }
      }
    }
    guard isPainted else { throw undecodable(payload.count, codec, "mask", width, height) }
  }

  /// Writes the whole mask into `output`, each pixel 0 or 1.
  ///
  /// - Parameters:
  ///   - output: `[height, width]`; undefined after a throw.
  /// - Throws: ``StoreError/Code/corrupt`` when the payload does not give a mask of that size.
  /// - Precondition: `output` has that size.
  static func fillMask(
    _ payload: UnsafeRawBufferPointer, codec: PackLayout.Codec, width: Int, height: Int,
    into output: UnsafeMutableBufferPointer<UInt8>
  ) throws(StoreError) {
    precondition(output.count == width * height, "\(output.count) bytes for \(width)x\(height)")
    // Safe: the count is that of both the mask and the output; C checks the bytes of the mask.
    let isFilled = unsafe withMask(payload, codec: codec, pixelCount: output.count) {
      form, bytes in
      switch form {
      case .runs:
        unsafe gc_fill_runs(bytes.baseAddress, bytes.count, output.count, output.baseAddress)
      case .bytes: unsafe gc_fill_bytes(bytes.baseAddress, output.count, output.baseAddress)
      case .bits:
        unsafe paintedBits(bytes, output.count) {
          unsafe gc_fill_bits($0, output.count, output.baseAddress)
        }
      }
    }
    guard isFilled else { throw undecodable(payload.count, codec, "mask", width, height) }
  }
}

extension BlobCodec {
  /// What is thrown when `bytes` bytes of payload do not give what they should.
  static func undecodable(
    _ bytes: Int, _ codec: PackLayout.Codec, _ what: String, _ width: Int, _ height: Int
  ) -> StoreError {
    StoreError(
      .corrupt, "\(bytes) bytes of codec \(codec.rawValue) give no \(what) of \(width)x\(height)")
  }
}

/// How the bytes of a mask are to be read once LZ4 is off.
private enum MaskForm { case runs, bits, bytes }

private func isCodable(_ width: Int, _ height: Int) -> Bool {
  width >= 1 && height >= 1 && width <= GC_MAXIMUM_WIDTH
}

/// Calls `body` with the bytes of a mask; false when there are none or it does not return GC_DONE.
private func withMask(
  _ payload: UnsafeRawBufferPointer, codec: PackLayout.Codec, pixelCount: Int,
  _ body: (MaskForm, UnsafeBufferPointer<UInt8>) -> Int32
) -> Bool {
  let bytes = unsafe payload.bindMemory(to: UInt8.self)
  let form: MaskForm
  let block: Slice<UnsafeBufferPointer<UInt8>>
  let length: Int
  switch codec {
  case .raw:
    return unsafe bytes.count == pixelCount && body(.bytes, bytes) == Int32(GC_DONE)
  case .bitsLZ4:
    (form, length) = (.bits, (pixelCount + 7) / 8)
    unsafe block = bytes[...]
  case .runsLZ4:
    guard bytes.count > 4 else { return false }
    let stored = (0..<4).reduce(0) { unsafe $0 | Int(bytes[$1]) << (8 * $1) }
    // At most as many runs as pixels and one more, of at most 5 bytes.
    guard stored <= 5 * (pixelCount + 1) else { return false }
    (form, length) = (.runs, stored)
    unsafe block = bytes[4...]
  case .planarDeltaLZ4, .bitPlanesLZ4:
    return false
  }
  // Safe: the room lives for the closure, and LZ4 fills it whole or the answer is false.
  return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(length, 1)) { room in
    let room = unsafe UnsafeMutableBufferPointer(rebasing: room[0..<length])
    return unsafe LZ4.decompress(UnsafeBufferPointer(rebasing: block), into: room)
      && body(form, UnsafeBufferPointer(room)) == Int32(GC_DONE)
  }
}

private func paintedBits(
  _ bytes: UnsafeBufferPointer<UInt8>, _ pixelCount: Int,
  _ paint: (UnsafePointer<UInt8>?) -> Void
) -> Int32 {
  guard bytes.count == (pixelCount + 7) / 8 else { return Int32(GC_CORRUPT) }
  unsafe paint(bytes.baseAddress)
  return Int32(GC_DONE)
}

/// Interleaved pixels as they are, or one plane after the other.
private func arrange(
  _ pixels: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer,
  layout: BlobCodec.ImageLayout
) {
  guard layout == .planar else { return unsafe output.copyMemory(from: pixels) }
  let count = pixels.count / 3
  // Safe: both hold 3 · count bytes.
  for pixel in 0..<count {
    for channel in 0..<3 { unsafe output[channel * count + pixel] = pixels[3 * pixel + channel] }
  }
}
