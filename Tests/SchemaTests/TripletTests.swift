import Schema
import Testing

/// What every store demands of a triplet.
@Suite struct TripletTests {
  private func info(
    _ name: String = "cat", instance: Int = 0, confidence: Double? = nil, visible: Double? = nil
  ) throws -> MaskInfo {
    MaskInfo(
      category: try CategoryName(name), instance: instance, source: .exact,
      confidence: confidence, visibleFraction: visible)
  }

  private func triplet(
    width: Int = 8, height: Int = 8, masks: [MaskInfo]? = nil, prompt: String = "a cat",
    provenance: Provenance = Provenance(
      engine: "scenes", seed: 1, worker: "local-0", createdMicroseconds: 1)
  ) throws -> Triplet {
    let mask = BinaryMask(
      width: width, height: height, values: [UInt8](repeating: 1, count: width * height))
    return Triplet(
      image: RGBImage(
        width: width, height: height, pixels: [UInt8](repeating: 3, count: width * height * 3)),
      masks: try (masks ?? [info()]).map { ($0, mask) }, prompt: prompt, provenance: provenance)
  }

  private func refused(
    _ message: String, _ triplet: Triplet, line: SourceLocation = #_sourceLocation
  ) {
    expectRefused(.invalidArgument, message, sourceLocation: line) { try triplet.validate() }
  }

  @Test("a triplet inside all limits, and one at them, is accepted")
  func accepts() throws {
    try triplet().validate()
    try triplet(width: 2048, height: 8).validate()
    try triplet(prompt: String(repeating: "x", count: 4096)).validate()
    try triplet(prompt: "").validate()
    try triplet(masks: (0..<256).map { try info(instance: $0) }).validate()
    try triplet(masks: [info(confidence: 0, visible: 1), info("dog")]).validate()
  }

  @Test("sizes, masks and prompts outside the limits are refused")
  func refusesSizes() throws {
    let sides = "each side must be 8 to 2048"
    refused("an image of 7x8 pixels; \(sides)", try triplet(width: 7))
    refused("an image of 8x7 pixels; \(sides)", try triplet(height: 7))
    refused("an image of 2049x8 pixels; \(sides)", try triplet(width: 2049))
    refused("an image of 8x2049 pixels; \(sides)", try triplet(height: 2049))
    refused("0 masks; expected 1 to 256", try triplet(masks: []))
    refused(
      "257 masks; expected 1 to 256", try triplet(masks: (0...256).map { try info(instance: $0) }))
    refused(
      "a prompt of 4097 bytes; at most 4096",
      try triplet(prompt: String(repeating: "x", count: 4097)))
    refused(
      "a prompt of 4098 bytes; at most 4096",
      try triplet(prompt: String(repeating: "é", count: 2049)))
  }

  @Test("masks that do not fit their image, are empty or there twice are refused")
  func refusesMasks() throws {
    var entry = try triplet()
    entry.masks[0].mask = BinaryMask(width: 8, height: 9, values: [UInt8](repeating: 1, count: 72))
    refused("mask 0 ('cat') is 8x9, its image 8x8", entry)
    entry.masks[0].mask = BinaryMask(width: 8, height: 8, values: [UInt8](repeating: 0, count: 64))
    refused("mask 0 ('cat') covers no pixel; leave it out", entry)
    refused(
      "mask 1: instance 0 of 'cat' is negative or there twice",
      try triplet(masks: [info(), info()]))
    refused(
      "mask 0: instance -1 of 'cat' is negative or there twice",
      try triplet(masks: [info(instance: -1)]))
    try triplet(masks: [info(), info(instance: 1), info("dog")]).validate()
  }

  @Test("fractions outside 0 to 1 are refused, not-a-number too")
  func refusesFractions() throws {
    refused(
      "mask 0: confidence is 1.5; expected 0 to 1", try triplet(masks: [info(confidence: 1.5)]))
    refused(
      "mask 0: visible_fraction is -0.1; expected 0 to 1",
      try triplet(masks: [info(visible: -0.1)]))
    refused(
      "mask 0: confidence is nan; expected 0 to 1", try triplet(masks: [info(confidence: .nan)]))
  }

  @Test("provenance names are 1 to 256 bytes, the guidance scale is a number")
  func refusesProvenance() throws {
    func with(_ change: (inout Provenance) -> Void) throws -> Triplet {
      var entry = try triplet()
      change(&entry.provenance)
      return entry
    }
    let long = String(repeating: "x", count: 257)
    refused("provenance: engine has 0 bytes; expected 1 to 256", try with { $0.engine = "" })
    refused("provenance: worker has 257 bytes; expected 1 to 256", try with { $0.worker = long })
    refused(
      "provenance: model_fingerprint has 0 bytes; expected 1 to 256",
      try with { $0.modelFingerprint = "" })
    refused(
      "provenance: grounding_fingerprint has 257 bytes; expected 1 to 256",
      try with { $0.groundingFingerprint = long })
    refused(
      "provenance: sampler has 257 bytes; expected 1 to 256", try with { $0.sampler = long })
    refused("provenance: guidance_scale is inf", try with { $0.guidanceScale = .infinity })
    try with { $0.worker = String(repeating: "x", count: 256) }.validate()
  }

  @Test("categories are listed once each, in the order of their first mask")
  func listsCategories() throws {
    let entry = try triplet(masks: [info("dog"), info(), info("dog", instance: 1)])
    #expect(entry.categories.map(\.text) == ["dog", "cat"])
  }

  @Test("equality looks at every pixel and every fact")
  func compares() throws {
    let one = try triplet()
    #expect(one == (try triplet()))
    #expect(one != (try triplet(prompt: "a dog")))
    #expect(one != (try triplet(masks: [info(instance: 1)])))
    var other = one
    other.provenance.seed = 2
    #expect(one != other)
    other = one
    var values = [UInt8](repeating: 1, count: 64)
    values[63] = 0
    other.masks[0].mask = BinaryMask(width: 8, height: 8, values: values)
    #expect(one != other)
    other = one
    other.masks = []
    #expect(one != other)
  }
}
