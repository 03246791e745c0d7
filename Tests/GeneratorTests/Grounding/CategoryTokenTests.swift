import Foundation
import Schema
import TestSupport
import Testing

@testable import Generator

/// Queries that are tuned on one picture, and modules found by name.
@Suite struct CategoryTokenTests {
  private let workspace = Workspace(threadCount: 2)

  private func grounder(_ directory: TemporaryDirectory, seed: UInt64 = 1) throws -> Grounder {
    let model = try DiffusionModel(directory: Fixtures.model("sd1"), workspace: workspace)
    var configuration = try GroundingConfiguration(for: model.unet.configuration)
    (configuration.width, configuration.feedForward, configuration.layers) = (32, 64, 1)
    let module = GroundingModule(configuration: configuration, seed: seed, workspace: workspace)
    let path = directory.file("module-\(seed).safetensors")
    try module.write(GroundingMetadata(baseModel: nil, template: .standard), to: path)
    return try Grounder(model: model, path: path)
  }

  private func picture() -> (image: RGBImage, mask: BinaryMask) {
    let side = 32
    var pixels = [UInt8](repeating: 40, count: side * side * 3)
    var values = [UInt8](repeating: 0, count: side * side)
    for row in 6..<26 {
      for column in 3..<15 {
        values[row * side + column] = 1
        pixels[3 * (row * side + column)] = 240
      }
    }
    return (
      RGBImage(width: side, height: side, pixels: pixels),
      BinaryMask(width: side, height: side, values: values)
    )
  }

  @Test("tuning lowers the loss, leaves the module alone, and the file changes that category only")
  func tunes() throws {
    let directory = try TemporaryDirectory()
    let grounder = try grounder(directory)
    let before = grounder.module.fingerprint
    let (image, mask) = picture()
    var options = TokenTuner.Options()
    (options.steps, options.noises, options.learningRate) = (60, 2, 0.3)
    let tuner = try TokenTuner(
      grounder, image: image, mask: mask, category: "cat", options: options)
    var losses: [Double] = []
    for _ in 0..<options.steps { losses.append(try tuner.step()) }
    // Each step looks at all four pictures; a random module leaves little to gain.
    #expect(losses[59] < losses[0] * 0.98, "loss \(losses[0]) before, \(losses[59]) after")
    #expect(grounder.module.fingerprint == before)
    let file = directory.file("cat.token.safetensors")
    try tuner.token().write(to: file)
    let tuned = try grounder.adding(tokens: [file])
    let (plain, changed) = (
      try grounder.queries(["cat", "dog"]), try tuned.queries(["cat", "dog"])
    )
    #expect(plain.slice(1..<2).values == changed.slice(1..<2).values)
    #expect(plain.slice(0..<1).values != changed.slice(0..<1).values)
    #expect(changed.slice(0..<1).values == (try tuner.token().query.values))
  }

  @Test("a token of another module, of another format or width is refused by name")
  func refusals() throws {
    let directory = try TemporaryDirectory()
    let grounder = try grounder(directory)
    let (image, mask) = picture()
    let tuner = try TokenTuner(grounder, image: image, mask: mask, category: "cat")
    let file = directory.file("token")
    try tuner.token().write(to: file)
    func refusal(_ grounder: Grounder, _ path: String) -> String {
      let error = #expect(throws: GeneratorError.self) { _ = try grounder.adding(tokens: [path]) }
      #expect(error?.code == .badCheckpoint)
      return error?.message ?? ""
    }
    let other = try self.grounder(directory, seed: 2)
    #expect(refusal(other, file).contains("tune it again with tune-token"))
    #expect(
      refusal(grounder, directory.file("module-1.safetensors")).contains(
        "expected 'groundwell-token-1'"))
    try CategoryToken(
      category: "cat", query: workspace.tensor([1, 2], shape: [1, 2]), baseModel: "", module: ""
    ).write(to: directory.file("narrow"))
    #expect(refusal(grounder, directory.file("narrow")).contains("query"))
    let empty = BinaryMask(
      width: 32, height: 32, values: [UInt8](repeating: 0, count: 1024))
    #expect(throws: GeneratorError.self) {
      _ = try TokenTuner(grounder, image: image, mask: empty, category: "cat")
    }
    var options = TokenTuner.Options()
    options.steps = 0
    let error = #expect(throws: GeneratorError.self) {
      _ = try TokenTuner(grounder, image: image, mask: mask, category: "cat", options: options)
    }
    #expect(error?.message.contains("steps: 0.0; expected 1.0") == true)
  }

  @Test("a module is a file, or one that comes with the model by name")
  func findsModules() throws {
    let directory = try TemporaryDirectory()
    let model = try ModelDirectory(path: Fixtures.model("sd1").path)
    #expect(try Grounder.modulePath("a/b", model) == "a/b")
    #expect(try Grounder.modulePath("b.safetensors", model) == "b.safetensors")
    let none = #expect(throws: GeneratorError.self) { try Grounder.modulePath(nil, model) }
    #expect(none?.message.contains("no module for this model: there is none in") == true)
    let copy = directory.file("model")
    try FileManager.default.copyItem(atPath: model.path, toPath: copy)
    let own = try ModelDirectory(path: copy)
    try FileManager.default.createDirectory(
      atPath: copy + "/grounding", withIntermediateDirectories: true)
    for name in ["stickers-2", "all"] {
      try Data().write(to: URL(fileURLWithPath: "\(copy)/grounding/\(name).safetensors"))
    }
    #expect(try Grounder.modulePath(nil, own) == copy + "/grounding/all.safetensors")
    #expect(
      try Grounder.modulePath("stickers-2", own) == copy + "/grounding/stickers-2.safetensors")
    let wrong = #expect(throws: GeneratorError.self) {
      try Grounder.modulePath("stickers-9", own)
    }
    #expect(wrong?.message.contains("has all, stickers-2") == true)
    try Data().write(to: URL(fileURLWithPath: "\(copy)/grounding/module.safetensors"))
    #expect(try Grounder.modulePath(nil, own) == copy + "/grounding/module.safetensors")
  }
}
