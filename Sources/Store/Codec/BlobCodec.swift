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
  /// Encodes an image, as it is where that is shorter.
  static func encode(_ image: RGBImage) -> EncodedBlob {
    let packed = LZ4.compress(PlanarDelta.encode(image))
    let isSmaller = packed.count < image.pixels.count
    return EncodedBlob(
      codec: isSmaller ? .planarDeltaLZ4 : .raw, payload: isSmaller ? packed : image.pixels,
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
    let count = width * height * 3
    let pixels: [UInt8]? =
      switch blob.codec {
      case .raw: blob.payload
      case .planarDeltaLZ4:
        LZ4.decompress(blob.payload[...], count: count)
          .map { PlanarDelta.decode($0, width: width, height: height) }
      case .runsLZ4, .bitsLZ4: nil
      }
    guard let pixels, pixels.count == count, blob.decodedBytes == count else {
      throw undecodable(blob, "image", width, height, triplet)
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  /// Decodes a mask.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when the payload does not give a mask of that size.
  static func mask(
    _ blob: EncodedBlob, width: Int, height: Int, of triplet: TripletID
  ) throws(StoreError) -> BinaryMask {
    let count = width * height
    let values: [UInt8]? =
      switch blob.codec {
      case .raw: blob.payload.allSatisfy { $0 <= 1 } ? blob.payload : nil
      case .runsLZ4: runs(blob.payload, count: count)
      case .bitsLZ4:
        LZ4.decompress(blob.payload[...], count: (count + 7) / 8)
          .map { MaskBits.decode($0, count: count) }
      case .planarDeltaLZ4: nil
      }
    guard let values, values.count == count, blob.decodedBytes == count else {
      throw undecodable(blob, "mask", width, height, triplet)
    }
    return BinaryMask(width: width, height: height, values: values)
  }

  private static func runs(_ payload: [UInt8], count: Int) -> [UInt8]? {
    guard payload.count > 4 else { return nil }
    let length = Int(UInt32(littleEndianBytes: payload[0..<4]))
    // A run takes at least one byte, and there are at most as many runs as pixels, plus one.
    guard length <= 5 * (count + 1) else { return nil }
    return LZ4.decompress(payload[4...], count: length).flatMap {
      MaskRuns.decode($0, count: count)
    }
  }

  private static func undecodable(
    _ blob: EncodedBlob, _ what: String, _ width: Int, _ height: Int, _ triplet: TripletID
  ) -> StoreError {
    StoreError(
      .corrupt,
      "triplet \(triplet): \(blob.payload.count) bytes of codec \(blob.codec.rawValue) give no "
        + "\(what) of \(width)x\(height)")
  }
}
