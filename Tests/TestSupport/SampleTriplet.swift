public import Schema

extension Triplet {
  /// A small triplet whose pixels and masks follow from `seed`.
  ///
  /// - Parameter categories: one mask for each; the same name twice makes two instances.
  public static func sample(
    seed: UInt64 = 1, side: Int = 16, categories: [String] = ["cat"], engine: String = "scenes"
  ) throws -> Triplet {
    var random = SeededGenerator(seed)
    let image = RGBImage(width: side, height: side, pixels: random.bytes(side * side * 3))
    var instances: [String: Int] = [:]
    let masks = try categories.enumerated().map { index, name in
      let instance = instances[name, default: 0]
      instances[name] = instance + 1
      // Bands of rows: never empty, never the same for two masks.
      let first = index * side / categories.count
      let end = (index + 1) * side / categories.count
      let values = (0..<(side * side)).map { pixel -> UInt8 in
        (first..<end).contains(pixel / side) ? 1 : 0
      }
      return (
        info: MaskInfo(
          category: try CategoryName(name), instance: instance, source: .exact, confidence: 1,
          visibleFraction: 0.5),
        mask: BinaryMask(width: side, height: side, values: values)
      )
    }
    return Triplet(
      image: image, masks: masks,
      prompt: "a photograph of a \(categories.joined(separator: " and a "))",
      provenance: Provenance(
        engine: engine, modelFingerprint: "test", seed: Int64(seed % (1 << 53)), worker: "test",
        createdMicroseconds: 1_700_000_000_000_000))
  }
}
