extension Triplet {
  /// Checks what every store demands of a triplet.
  ///
  /// - Throws: ``SchemaError/Code/invalidArgument`` with the first rule that is broken.
  public func validate(_ limits: Limits = .standard) throws(SchemaError) {
    let sides = limits.minimumImageSide...limits.maximumImageSide
    guard sides.contains(image.width), sides.contains(image.height) else {
      throw Self.refused(
        "an image of \(image.width)x\(image.height) pixels; each side must be "
          + "\(sides.lowerBound) to \(sides.upperBound)")
    }
    guard (1...limits.maximumMasks).contains(masks.count) else {
      throw Self.refused("\(masks.count) masks; expected 1 to \(limits.maximumMasks)")
    }
    guard prompt.utf8.count <= limits.maximumPromptBytes else {
      throw Self.refused(
        "a prompt of \(prompt.utf8.count) bytes; at most \(limits.maximumPromptBytes)")
    }
    try validateMasks()
    try validateProvenance()
  }

  private func validateMasks() throws(SchemaError) {
    var seen = Set<String>()
    for (index, entry) in masks.enumerated() {
      let (info, mask) = entry
      guard mask.width == image.width, mask.height == image.height else {
        throw Self.refused(
          "mask \(index) ('\(info.category)') is \(mask.width)x\(mask.height), "
            + "its image \(image.width)x\(image.height)")
      }
      guard mask.pixelCount > 0 else {
        throw Self.refused("mask \(index) ('\(info.category)') covers no pixel; leave it out")
      }
      guard info.instance >= 0, seen.insert("\(info.instance) \(info.category)").inserted else {
        throw Self.refused(
          "mask \(index): instance \(info.instance) of '\(info.category)' is negative or there twice"
        )
      }
      for (name, value) in [
        ("confidence", info.confidence), ("visible_fraction", info.visibleFraction),
      ] {
        guard let value else { continue }
        guard value >= 0, value <= 1 else {
          throw Self.refused("mask \(index): \(name) is \(value); expected 0 to 1")
        }
      }
    }
  }

  private func validateProvenance() throws(SchemaError) {
    let texts = [
      ("engine", provenance.engine), ("worker", provenance.worker),
      ("model_fingerprint", provenance.modelFingerprint ?? "-"),
      ("grounding_fingerprint", provenance.groundingFingerprint ?? "-"),
      ("sampler", provenance.sampler ?? "-"),
    ]
    for (name, text) in texts where text.isEmpty || text.utf8.count > 256 {
      throw Self.refused("provenance: \(name) has \(text.utf8.count) bytes; expected 1 to 256")
    }
    if let scale = provenance.guidanceScale, !scale.isFinite {
      throw Self.refused("provenance: guidance_scale is \(scale)")
    }
  }

  private static func refused(_ message: String) -> SchemaError {
    SchemaError(.invalidArgument, message)
  }
}
