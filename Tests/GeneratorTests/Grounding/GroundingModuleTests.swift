import Foundation
import Testing

@testable import Generator

/// Whole modules against PyTorch; files by `python/fixtures/make_grounding_fixtures.py`.
@Suite struct GroundingModuleTests {
  private let workspace = Workspace(threadCount: 2)

  static let ours = GroundingConfiguration(
    levels: [
      .init(inputs: 9, outputs: 4), .init(inputs: 10, outputs: 4), .init(inputs: 8, outputs: 8),
    ], isPaired: false, textChannels: 12, width: 16, heads: 2, layers: 2, feedForward: 24, patch: 2,
    detail: 2, maskChannels: 5, usesRectifiedResidual: false, usesPictureStatistics: false,
    timestep: 1)
  static let published = GroundingConfiguration(
    levels: [
      .init(inputs: 8, outputs: 2), .init(inputs: 6, outputs: 2), .init(inputs: 10, outputs: 4),
      .init(inputs: 8, outputs: 8),
    ], isPaired: false, textChannels: 12, width: 16, heads: 2, layers: 1, feedForward: 24, patch: 4,
    detail: 1, maskChannels: 16, usesRectifiedResidual: true, usesPictureStatistics: false,
    timestep: 1)

  private func module(
    _ name: String, _ configuration: GroundingConfiguration
  ) throws -> GroundingModule {
    let weights = WeightCollection(
      try Fixtures.weights("grounding/module_\(name)_weights"), name: name, workspace: workspace)
    let module = GroundingModule(ParameterMaker(weights), configuration: configuration)
    try weights.finish()
    return module
  }

  private func inputs(
    _ name: String, levels: Int
  ) throws -> (DiffusionFeatures, [Tensor], [String: Tensor]) {
    let tensors = try Fixtures.tensors("grounding/module_\(name)", workspace)
    let features = try (0..<levels).map { level in
      try (0..<2).map { try #require(tensors["features.\(level).\($0)"]).channelsLast() }
    }
    let queries = try (0..<2).map { try #require(tensors["queries.\($0)"]) }
    return (DiffusionFeatures(levels: features), queries, tensors)
  }

  private func norm(_ x: Tensor) -> Double { sumOfSquares(x).squareRoot() }

  @Test(
    "two pictures with one and three queries: values, loss, every gradient and statistic",
    arguments: [("ours", ours), ("published", published)])
  func agreesWithPyTorch(name: String, configuration: GroundingConfiguration) throws {
    let module = try module(name, configuration)
    let (features, queries, tensors) = try inputs(name, levels: configuration.levels.count)
    let still = Tape(isRecording: false)
    let running = still.resize(
      module.logits(features, queries: queries, tape: still), height: 20, width: 24)
    try expectNear(
      running.value.reshaped([4, 20, 24]), tensors["running"], 1e-4, "grounding \(name) running")

    let tape = Tape(isRecording: true)
    let logits = tape.resize(
      module.logits(features, queries: queries, tape: tape, isTraining: true), height: 20,
      width: 24)
    try expectNear(
      logits.value.reshaped([4, 20, 24]), tensors["training"], 1e-4, "grounding \(name) training")
    let targets = try #require(tensors["targets"])
    let (loss, _) = tape.maskLoss(
      logits, targets: targets, weights: ones(targets), .crossEntropy, scale: 0.5)
    try expectNear(loss.value, tensors["loss"], 1e-4, "grounding \(name) loss")
    tape.backward(from: loss)
    let gradients = try Fixtures.tensors("grounding/module_\(name)_gradients", workspace)
    #expect(gradients.count == module.parameters.count)
    let largest = gradients.values.map { norm($0) }.max() ?? 0
    for parameter in module.parameters {
      let expected = try #require(gradients[parameter.name])
      // A bias in front of a batch norm changes nothing: its gradient is 0 but for rounding.
      if norm(expected) < 1e-6 * largest {
        #expect(norm(parameter.gradient) < 1e-6 * largest, "\(parameter.name)")
        continue
      }
      try expectNear(
        parameter.gradient, expected, 1e-3, "grounding \(name) d.\(parameter.name)")
    }
    let after = try Fixtures.tensors("grounding/module_\(name)_after", workspace)
    for (key, value) in module.buffers {
      try expectNear(value, after[key], 1e-4, "grounding \(name) \(key)")
    }
  }

  @Test("a picture's masks do not depend on what else is in its batch")
  func batchesAreIndependent() throws {
    let module = try module("ours", Self.ours)
    let (features, queries, _) = try inputs("ours", levels: 3)
    let both = module.probabilities(features, queries: queries, height: 16, width: 16)
    let second = DiffusionFeatures(levels: features.levels.map { $0.map { $0.slice(1..<2) } })
    let alone = module.probabilities(second, queries: [queries[1]], height: 16, width: 16)
    try expectNear(both.slice(1..<4), alone, 1e-5, "grounding batch")
  }

  @Test("with statistics of single pictures too")
  func pictureStatistics() throws {
    var configuration = Self.published
    configuration.usesPictureStatistics = true
    let module = try module("published", configuration)
    let (features, queries, _) = try inputs("published", levels: 4)
    let both = module.probabilities(features, queries: queries, height: 16, width: 16)
    let first = DiffusionFeatures(levels: features.levels.map { $0.map { $0.slice(0..<1) } })
    let alone = module.probabilities(first, queries: [queries[0]], height: 16, width: 16)
    try expectNear(both.slice(0..<1), alone, 1e-5, "grounding single pictures")
  }

  @Test("a tape gives its activations back: later steps allocate nothing")
  func stepsReuseMemory() throws {
    let module = try module("ours", Self.ours)
    let (features, queries, tensors) = try inputs("ours", levels: 3)
    let targets = try #require(tensors["targets"])
    func step() {
      let tape = Tape(isRecording: true)
      let logits = tape.resize(
        module.logits(features, queries: queries, tape: tape, isTraining: true), height: 20,
        width: 24)
      tape.backward(
        from: tape.maskLoss(
          logits, targets: targets, weights: ones(targets), .both, scale: 1
        ).total)
    }
    for _ in 0..<3 { step() }
    let bytes = workspace.allocatedBytes
    for _ in 0..<3 { step() }
    #expect(workspace.allocatedBytes == bytes)
  }

  @Test("the published module has 18.80 M parameters, the stickers' under 1 M")
  func sizes() throws {
    let folder = Fixtures.root + "/../../Sources/Generator/Resources/stickers/unet/config.json"
    let unet = try UNetConfiguration(
      json: Data(contentsOf: URL(fileURLWithPath: folder)), file: folder)
    let stickers = GroundingModule(
      configuration: try GroundingConfiguration(for: unet), seed: 1, workspace: workspace)
    #expect((800_000..<1_000_000).contains(stickers.parameterCount), "\(stickers.parameterCount)")
    #expect(stickers.configuration.levels.map(\.inputs) == [608, 480, 384])
    let published = GroundingModule(
      configuration: .published, seed: 1, workspace: Workspace(threadCount: 1))
    #expect(published.parameterCount == 18_796_560)
  }
}
