private import CCodec
import Schema

/// A blob on its way to or from a pack.
struct EncodedBlob: Equatable, Sendable {
  /// How `payload` is encoded.
  let codec: PackLayout.Codec
  /// The encoded bytes.
  let payload: [UInt8]
  /// How many bytes they stand for.
  let decodedBytes: Int
}

/// Pixels to blobs and back; `schema/pack/README.md` describes each codec.
enum BlobCodec {
  /// The level of LZ4's slow compressor: 3 is a tenth faster and up to 1 % longer, 9 takes three
  /// times as long and is 1 to 2 % shorter (`docs/codec.md`).
  static let effort: Int32 = 4

  /// Encodes an image, as it is where that is shorter.
  static func encode(_ image: RGBImage, _ care: EncodingCare = .careful) -> EncodedBlob {
    let effort = care == .careful ? Self.effort : -1
    let (width, height) = (image.width, image.height)
    var packed: [UInt8] = []
    if width <= GC_MAXIMUM_WIDTH {
      // Safe: the encoder reads the image, writes at most its bound, and says how many bytes.
      packed = unsafe [UInt8](unsafeUninitializedCapacity: gc_encode_bound(width, height)) {
        output, count in
        count = unsafe image.pixels.withUnsafeBufferPointer { pixels in
          unsafe gc_encode_image(
            pixels.baseAddress, width, height, effort, output.baseAddress)
        }
      }
    }
    let isPacked = !packed.isEmpty && packed.count < image.pixels.count
    return EncodedBlob(
      codec: isPacked ? .bitPlanesLZ4 : .raw, payload: isPacked ? packed : image.pixels,
      decodedBytes: image.pixels.count)
  }

  /// Encodes a mask in the shorter of two ways.
  static func encode(_ mask: BinaryMask) -> EncodedBlob {
    let runs = MaskRuns.encode(mask.values)
    let runsPacked = UInt32(runs.count).littleEndianBytes + LZ4.compress(runs)
    let bitsPacked = LZ4.compress(MaskBits.encode(mask.values))
    let isRuns = runsPacked.count <= bitsPacked.count
    return EncodedBlob(
      codec: isRuns ? .runsLZ4 : .bitsLZ4, payload: isRuns ? runsPacked : bitsPacked,
      decodedBytes: mask.values.count)
  }

  /// Decodes an image.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when the payload does not give an image of that size.
  static func image(
    _ blob: EncodedBlob, width: Int, height: Int, of triplet: TripletID
  ) throws(StoreError) -> RGBImage {
    let pixels = try unsafe values(blob, count: width * height * 3, of: triplet) {
      payload, output throws(StoreError) in
      guard blob.decodedBytes == output.count else {
        throw undecodable(payload.count, blob.codec, "image", width, height)
      }
      try unsafe decodeImage(
        payload, codec: blob.codec, width: width, height: height,
        into: UnsafeMutableRawBufferPointer(output), layout: .interleaved)
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  /// Decodes a mask.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when the payload does not give a mask of that size.
  static func mask(
    _ blob: EncodedBlob, width: Int, height: Int, of triplet: TripletID
  ) throws(StoreError) -> BinaryMask {
    let values = try unsafe values(blob, count: width * height, of: triplet) {
      payload, output throws(StoreError) in
      guard blob.decodedBytes == output.count else {
        throw undecodable(payload.count, blob.codec, "mask", width, height)
      }
      try unsafe fillMask(
        payload, codec: blob.codec, width: width, height: height, into: output)
    }
    return BinaryMask(width: width, height: height, values: values)
  }

  /// An array of `count` values that `decode` fills; its errors name the triplet.
  private static func values(
    _ blob: EncodedBlob, count: Int, of triplet: TripletID,
    by decode: (
      UnsafeRawBufferPointer, UnsafeMutableBufferPointer<UInt8>
    ) throws(StoreError) -> Void
  ) throws(StoreError) -> [UInt8] {
    var failure: StoreError?
    // Safe: the decoders write only inside the buffer, and all of it where they do not throw.
    let values = unsafe [UInt8](unsafeUninitializedCapacity: count) {
      output, filled in
      unsafe blob.payload.withUnsafeBytes { payload in
        do throws(StoreError) {
          try unsafe decode(payload, UnsafeMutableBufferPointer(rebasing: output[0..<count]))
          filled = count
        } catch { failure = error }
      }
    }
    if let failure {
      throw StoreError(failure.code, "triplet \(triplet): \(failure.message)")
    }
    return values
  }
}
