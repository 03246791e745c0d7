/// The body of `work.submit` and `triplet.get`: the pixels of one triplet.
public enum TripletBody {
  /// Writes `image` U8 `[height, width, 3]` and `masks` U8 `[masks, height, width]`.
  public static func encode(image: RGBImage, masks: [BinaryMask]) -> [UInt8] {
    Safetensors.encode([
      ("image", .u8, [image.height, image.width, 3], image.pixels),
      ("masks", .u8, [masks.count, image.height, image.width], masks.flatMap(\.values)),
    ])
  }

  /// Reads the image and the masks.
  ///
  /// - Throws: ``SchemaError/Code/badBody``.
  public static func decode(
    _ body: [UInt8]
  ) throws(SchemaError) -> (image: RGBImage, masks: [BinaryMask]) {
    let tensors = try Safetensors.decode(body)
    func tensor(_ name: String, rank: Int) throws(SchemaError) -> BodyTensor {
      guard let tensor = tensors[name], tensor.type == .u8, tensor.shape.count == rank else {
        throw SchemaError(
          .badBody,
          "body: expected a tensor '\(name)' U8 with \(rank) axes, "
            + "found \(tensors[name].map { "\($0.type.rawValue) \($0.shape)" } ?? "none")")
      }
      return tensor
    }
    let image = try tensor("image", rank: 3)
    let masks = try tensor("masks", rank: 3)
    let (height, width) = (image.shape[0], image.shape[1])
    guard image.shape[2] == 3 else {
      throw SchemaError(.badBody, "body: 'image' is \(image.shape); expected [height, width, 3]")
    }
    guard masks.shape[1] == height, masks.shape[2] == width else {
      throw SchemaError(
        .badBody, "body: 'masks' is \(masks.shape); expected [masks, \(height), \(width)]")
    }
    let limits = Limits.standard
    guard height <= limits.maximumImageSide, width <= limits.maximumImageSide,
      masks.shape[0] <= limits.maximumMasks
    else {
      throw SchemaError(
        .badBody,
        "body: image \(image.shape) with \(masks.shape[0]) masks; at most "
          + "\(limits.maximumImageSide) pixels a side and \(limits.maximumMasks) masks")
    }
    var decoded: [BinaryMask] = []
    for index in 0..<masks.shape[0] {
      let start = masks.range.lowerBound + index * height * width
      decoded.append(
        try BinaryMask(
          width: width, height: height, validating: Array(body[start..<(start + height * width)]))
      )
    }
    return (RGBImage(width: width, height: height, pixels: Array(body[image.range])), decoded)
  }
}
