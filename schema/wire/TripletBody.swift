/// The body of `work.submit` and `triplet.get`: the pixels of one triplet.
public enum TripletBody {
  /// Writes `image` U8 `[height, width, 3]` and `masks` U8 `[masks, height, width]`.
  public static func encode(image: RGBImage, masks: [BinaryMask]) -> [UInt8] {
    Safetensors.encode([
      ("image", .u8, [image.height, image.width, 3], image.pixels),
      ("masks", .u8, [masks.count, image.height, image.width], masks.flatMap(\.values)),
    ])
  }

  /// Writes several triplets as `triplet.import` takes them.
  ///
  /// The tensors are `image0`, `masks0`, `image1` and so on.
  public static func encode(_ triplets: [(image: RGBImage, masks: [BinaryMask])]) -> [UInt8] {
    var tensors: [(name: String, type: ElementType, shape: [Int], bytes: [UInt8])] = []
    for (index, (image, masks)) in triplets.enumerated() {
      tensors.append(("image\(index)", .u8, [image.height, image.width, 3], image.pixels))
      tensors.append(
        (
          "masks\(index)", .u8, [masks.count, image.height, image.width], masks.flatMap(\.values)
        ))
    }
    return Safetensors.encode(tensors)
  }

  /// Reads the image and the masks.
  ///
  /// - Throws: ``SchemaError/Code/badBody``.
  public static func decode(
    _ body: [UInt8]
  ) throws(SchemaError) -> (image: RGBImage, masks: [BinaryMask]) {
    try decode(body, try Safetensors.decode(body), suffix: "")
  }

  /// Reads `count` triplets as `triplet.import` takes them.
  ///
  /// - Throws: ``SchemaError/Code/badBody``, also for a tensor that belongs to none of them.
  public static func decode(
    _ body: [UInt8], count: Int
  ) throws(SchemaError) -> [(image: RGBImage, masks: [BinaryMask])] {
    let tensors = try Safetensors.decode(body)
    var triplets: [(image: RGBImage, masks: [BinaryMask])] = []
    for index in 0..<count { triplets.append(try decode(body, tensors, suffix: "\(index)")) }
    guard tensors.count == 2 * count else {
      throw SchemaError(
        .badBody, "body: \(tensors.count) tensors for \(count) items; expected two for each")
    }
    return triplets
  }

  private static func decode(
    _ body: [UInt8], _ tensors: [String: BodyTensor], suffix: String
  ) throws(SchemaError) -> (image: RGBImage, masks: [BinaryMask]) {
    func tensor(_ name: String, rank: Int) throws(SchemaError) -> BodyTensor {
      guard let tensor = tensors[name], tensor.type == .u8, tensor.shape.count == rank else {
        throw SchemaError(
          .badBody,
          "body: expected a tensor '\(name)' U8 with \(rank) axes, "
            + "found \(tensors[name].map { "\($0.type.rawValue) \($0.shape)" } ?? "none")")
      }
      return tensor
    }
    let image = try tensor("image" + suffix, rank: 3)
    let masks = try tensor("masks" + suffix, rank: 3)
    let (height, width) = (image.shape[0], image.shape[1])
    guard image.shape[2] == 3 else {
      throw SchemaError(
        .badBody, "body: 'image\(suffix)' is \(image.shape); expected [height, width, 3]")
    }
    guard masks.shape[1] == height, masks.shape[2] == width else {
      throw SchemaError(
        .badBody, "body: 'masks\(suffix)' is \(masks.shape); expected [masks, \(height), \(width)]")
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
