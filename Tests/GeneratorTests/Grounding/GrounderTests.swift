import Foundation
import Schema
import TestSupport
import Testing

@testable import Generator

/// Modules as files, with a base model: what fits, and one clear error for what does not.
@Suite struct GrounderTests {
  private let workspace = Workspace(threadCount: 2)

  private func model(_ name: String = "sd1") throws -> DiffusionModel {
    try DiffusionModel(directory: Fixtures.model(name), workspace: workspace)
  }

  private func module(for model: DiffusionModel) throws -> GroundingModule {
    GroundingModule(
      configuration: try GroundingConfiguration(for: model.unet.configuration), seed: 1,
      workspace: workspace)
  }

  private func refusal(_ model: DiffusionModel, _ path: String) -> String {
    let error = #expect(throws: GeneratorError.self) {
      _ = try Grounder(model: model, path: path)
    }
    #expect(error?.code == .badCheckpoint)
    return error?.message ?? ""
  }

  @Test("a written module gives the same masks when it is read, in half precision nearly so")
  func roundTrip() throws {
    let (directory, model) = (try TemporaryDirectory(), try model())
    let module = try module(for: model)
    let metadata = GroundingMetadata(
      baseModel: try Fingerprint.model(model.directory, workspace: workspace),
      template: try PromptTemplate("{} on a table"), split: "s", note: "n")
    let latent = workspace.tensor(
      (0..<1024).map { Float($0 % 37) / 18 - 1 }, shape: [1, 16, 16, 4])
    var values: [[Float]] = []
    for precision in [SafetensorsWriter.Precision.float32, .float16] {
      let path = directory.file(precision.rawValue)
      try module.write(metadata, precision: precision, to: path)
      let grounder = try Grounder(model: model, path: path)
      #expect(grounder.metadata == metadata)
      #expect(grounder.module.configuration == module.configuration)
      let found = try grounder.probabilities(latent: latent, categories: ["cat", "potted plant"])
      #expect(found.shape == [2, 32, 32, 1])
      values.append(found.values)
    }
    let tape = Tape(isRecording: false)
    let features = try model.features(
      of: latent, prompts: ["cat and a potted plant on a table"], seeds: [0],
      configuration: module.configuration)
    let queries = try model.categoryEmbeddings(
      ["cat", "potted plant"], template: metadata.template)
    let logits = module.logits(features, queries: [queries], tape: tape)
    let expected = sigmoid(tape.resize(logits, height: 32, width: 32).value)
    #expect(relativeError(values[0], expected.values) < 1e-6)
    #expect(relativeError(values[1], expected.values) < 1e-2)
  }

  @Test("another base model, another shape, another format, and damage are refused by name")
  func refusals() throws {
    let (directory, model) = (try TemporaryDirectory(), try model())
    let module = try module(for: model)
    func write(_ name: String, baseModel: String?) throws -> String {
      let path = directory.file(name)
      try module.write(
        GroundingMetadata(baseModel: baseModel, template: .standard), to: path)
      return path
    }
    let other = try write("other", baseModel: "00000000deadbeef")
    #expect(refusal(model, other).contains("trained on the model 00000000deadbeef, this one is"))
    let plain = try write("plain", baseModel: nil)
    #expect(refusal(try self.model("sd2"), plain).contains("a module for features of"))
    try SafetensorsWriter.write(
      module.tensors, metadata: ["format": "groundwell-grounding-2"],
      to: directory.file("newer"))
    #expect(
      refusal(model, directory.file("newer")).contains("expected 'groundwell-grounding-1'"))
    try SafetensorsWriter.write(
      [("a", ones(workspace.tensor([3])))], metadata: [:],
      to: directory.file("no module"))
    #expect(refusal(model, directory.file("no module")).contains("neither a module"))
    let bytes = try Data(contentsOf: URL(fileURLWithPath: plain))
    try bytes.dropLast(7).write(to: URL(fileURLWithPath: directory.file("short")))
    #expect(refusal(model, directory.file("short")).contains("truncated"))
    module.parameters[2].value.write(
      [Float](repeating: .nan, count: module.parameters[2].value.count))
    let broken = try write("broken", baseModel: nil)
    #expect(refusal(model, broken).contains("'\(module.parameters[2].name)' holds NaN"))
  }

  @Test("the published checkpoint is read by its own names", .tags(.slow))
  func published() throws {
    let directory = try TemporaryDirectory()
    let written = GroundingModule(configuration: .published, seed: 4, workspace: workspace)
    try SafetensorsWriter.write(
      written.tensors, metadata: ["format": "pt"], to: directory.file("official"))
    let (module, metadata) = try GroundingModule.read(
      directory.file("official"), workspace: workspace)
    #expect(metadata.baseModel == nil)
    #expect(module.configuration == .published)
    #expect(module.parameters[5].value.values == written.parameters[5].value.values)
  }

  @Test("a category's tokens are found in any template, and averaged over its words")
  func categoryTokens() throws {
    let model = try model()
    for text in ["a photograph of a {}", "{} on a table", "the {} , seen from a cat"] {
      let template = try PromptTemplate(text)
      for name in ["cat", "potted plant"] {
        let prompt = template.prompt(name)
        let tokens = try model.categoryTokens(name, template: template)
        #expect(try model.positions(of: name, in: prompt).contains(tokens))
        let all = try model.embed([prompt]).embedding
        let rows = all.reshaped([all.shape[1], all.shape[2]])
        let embedding = try model.categoryEmbeddings([name], template: template).values
        for channel in [0, all.shape[2] - 1] {
          let sum = tokens.map { rows.slice($0..<$0 + 1).values[channel] }.reduce(0, +)
          #expect(abs(embedding[channel] - sum / Float(tokens.count)) < 1e-5)
        }
      }
    }
    let template = try PromptTemplate("a cat beside a {}")
    #expect(try model.categoryTokens("cat", template: template)[0] > 4)
  }

  @Test("no categories, none with tokens, and those beyond the sentence's length are refused")
  func badCategories() throws {
    let model = try model()
    let long = [String](repeating: "cat", count: 80).joined(separator: " ")
    for names in [[], [" "], ["cat", ""], [long], [String](repeating: "cat", count: 257)] {
      let error = #expect(throws: GeneratorError.self) {
        _ = try model.categoryEmbeddings(names, template: .standard)
      }
      #expect(error?.code == .invalidArgument)
    }
    for text in ["", ",", " , "] {
      #expect(throws: GeneratorError.self) { _ = try GroundOutput.categories(text) }
    }
    #expect(try GroundOutput.categories("Cat, potted  plant,cat") == ["cat", "potted plant"])
    for text in ["no place", "{} and {}"] {
      #expect(throws: GeneratorError.self) { _ = try PromptTemplate(text) }
    }
  }

  @Test("each picture of a batch keeps its own two halves of guidance")
  func pairs() throws {
    let blocks = [(4, 2), (2, 3)].map { side, width in
      UNetTap(
        name: "\(side)",
        value: workspace.tensor(
          (0..<4 * side * side * width).map { Float($0 / (side * side * width)) },
          shape: [4, side, side, width]))
    }
    let features = try DiffusionFeatures(blocks: blocks, batch: 2, isPaired: true)
    #expect(features.channels == [6, 4])
    #expect(features.levels[0].map { $0.slice(1..<2).values[0] } == [1, 3])
    #expect(features.levels[1].map { $0.slice(0..<1).values[0] } == [0, 2])
    let conditional = try DiffusionFeatures(blocks: blocks, batch: 2, isPaired: false)
    #expect(conditional.levels[0].map { $0.values[0] } == [2])
    let error = #expect(throws: GeneratorError.self) {
      _ = try DiffusionFeatures(blocks: blocks, batch: 4, isPaired: true)
    }
    #expect(error?.message.contains("guidance scale above 1") == true)
  }

  @Test("pictures keep their proportions, and those too narrow are refused")
  func workingSizes() throws {
    let (directory, model) = (try TemporaryDirectory(), try model())
    let path = directory.file("module")
    try module(for: model).write(
      GroundingMetadata(baseModel: nil, template: .standard), to: path)
    let grounder = try Grounder(model: model, path: path)
    #expect(try grounder.workingSize(width: 500, height: 500) == (32, 32))
    #expect(try grounder.workingSize(width: 640, height: 320) == (64, 32))
    #expect(try grounder.workingSize(width: 20, height: 29) == (32, 48))
    #expect(throws: GeneratorError.self) {
      _ = try grounder.workingSize(width: 10, height: 1000)
    }
  }
}
