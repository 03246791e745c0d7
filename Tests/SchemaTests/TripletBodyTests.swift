import Schema
import Testing

/// The pixels of one triplet as a body.
@Suite struct TripletBodyTests {
  private func body(
    image: [Int] = [8, 8, 3], masks: [Int] = [1, 8, 8], type: ElementType = .u8
  ) -> [UInt8] {
    Safetensors.encode([
      ("image", .u8, image, [UInt8](repeating: 9, count: image.reduce(1, *))),
      ("masks", type, masks, [UInt8](repeating: 1, count: masks.reduce(type.bytes, *))),
    ])
  }

  @Test("image and masks come back", arguments: [0, 1, 3])
  func roundTrip(count: Int) throws {
    let image = RGBImage(width: 3, height: 2, pixels: (0..<18).map { UInt8($0) })
    let masks = (0..<count).map { index in
      BinaryMask(width: 3, height: 2, values: (0..<6).map { $0 % 3 == index ? 1 : 0 })
    }
    let (foundImage, foundMasks) = try TripletBody.decode(
      TripletBody.encode(image: image, masks: masks))
    #expect(foundImage == image)
    #expect(foundMasks == masks)
  }

  @Test("other tensors than agreed are refused with found and expected")
  func refusesTensors() {
    expectRefused(.badBody, "body: expected a tensor 'image' U8 with 3 axes, found none") {
      try TripletBody.decode(Safetensors.encode([("masks", .u8, [1, 1, 1], [1])]))
    }
    expectRefused(.badBody, "body: expected a tensor 'masks' U8 with 3 axes, found U16 [1, 8, 8]") {
      try TripletBody.decode(body(type: .u16))
    }
    expectRefused(.badBody, "body: expected a tensor 'masks' U8 with 3 axes, found U8 [8, 8]") {
      try TripletBody.decode(body(masks: [8, 8]))
    }
    expectRefused(.badBody, "body: 'image' is [8, 8, 4]; expected [height, width, 3]") {
      try TripletBody.decode(body(image: [8, 8, 4]))
    }
    expectRefused(.badBody, "body: 'masks' is [1, 8, 9]; expected [masks, 8, 8]") {
      try TripletBody.decode(body(masks: [1, 8, 9]))
    }
    expectRefused(
      .badBody,
      "body: image [8, 2049, 3] with 1 masks; at most 2048 pixels a side and 256 masks"
    ) { try TripletBody.decode(body(image: [8, 2049, 3], masks: [1, 8, 2049])) }
    expectRefused(
      .badBody, "body: image [8, 8, 3] with 257 masks; at most 2048 pixels a side and 256 masks"
    ) { try TripletBody.decode(body(masks: [257, 8, 8])) }
  }

  @Test("a mask value other than 0 and 1 is refused with its place")
  func refusesValues() {
    var values = [UInt8](repeating: 1, count: 128)
    values[64 + 5] = 255
    expectRefused(.badBody, "mask value 255 at pixel 5; expected 0 or 1") {
      try TripletBody.decode(
        Safetensors.encode([
          ("image", .u8, [8, 8, 3], [UInt8](repeating: 0, count: 192)),
          ("masks", .u8, [2, 8, 8], values),
        ]))
    }
  }

  @Test("a mask counts its pixels and refuses a wrong count of values")
  func masks() throws {
    #expect(GoldenFiles.mask.pixelCount == 32)
    expectRefused(.badBody, "a mask of [2, 3] has 5 values") {
      try BinaryMask(width: 3, height: 2, validating: [0, 1, 0, 1, 0])
    }
  }

  @Test("images and masks of another size than their pixels are bugs and trap")
  func traps() async {
    await #expect(processExitsWith: .failure) {
      _ = BinaryMask(width: 2, height: 2, values: [1])
    }
    await #expect(processExitsWith: .failure) {
      _ = RGBImage(width: 2, height: 2, pixels: [1])
    }
  }
}
