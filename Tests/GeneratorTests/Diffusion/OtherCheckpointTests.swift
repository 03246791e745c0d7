import Foundation
import Testing

@testable import Generator

/// Low-rank adapters and single-file checkpoints; files by `python/fixtures/make_fixtures.py`.
@Suite struct OtherCheckpointTests {
  private let workspace = Workspace(threadCount: 1)

  @Test(
    "adapters are merged under both namings, with alpha and weight",
    arguments: ["diffusers", "kohya"])
  func adapters(naming: String) throws {
    var directory = try Fixtures.model("sd1")
    directory.adapters = [
      try LowRankAdapter(path: Fixtures.root + "/outputs/lora/\(naming).safetensors", scale: 0.5)
    ]
    let model = try DiffusionModel(directory: directory, workspace: workspace)
    let fixture = try Fixtures.tensors("outputs/lora/output", workspace)
    let embedding = try #require(fixture["embedding"])
    let ids = try #require(fixture["ids"]).values.map { Int32($0) }
    try expectNear(model.textEncoder([ids]), embedding, 1e-5, "adapter \(naming), text encoder")
    let output = model.unet(
      try #require(fixture["latent"]).channelsLast(), timestep: 500, context: embedding)
    try expectNear(
      output.prediction.channelsFirst(), fixture["y"], 1e-4, "adapter \(naming), U-Net")
  }

  @Test("an adapter for another model is refused with the layers it misses")
  func foreignAdapter() throws {
    var directory = try Fixtures.model("sd2")
    directory.adapters = [
      try LowRankAdapter(path: Fixtures.root + "/outputs/lora/kohya.safetensors")
    ]
    let error = #expect(throws: GeneratorError.self) {
      _ = try DiffusionModel(directory: directory, workspace: workspace)
    }
    #expect(error?.code == .badCheckpoint)
    let file = Fixtures.root + "/layers/linear.safetensors"
    #expect(throws: GeneratorError.self) { try LowRankAdapter(path: file) }
  }

  @Test("names of single-file checkpoints lead to those of diffusers", arguments: ["sd1", "sd2"])
  func compVisNames(model: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: Fixtures.root + "/outputs/compvis.json"))
    let names = try #require(
      try JSONDecoder().decode([String: [String: String]].self, from: data)[model])
    #expect(names.count > 100)
    let one = Weight([1], shape: [1])
    let all = names.mapValues { _ in one }
    #expect(CompVisNames.areCompVis(all.keys))
    let map = CompVisNames(unetLayers: 1, autoencoderLevels: 2)
    for (old, new) in names {
      let part: ModelDirectory.Part = old.hasPrefix("model.") ? .unet : .autoencoder
      #expect(Array(map.weights(of: part, in: [old: one]).keys) == [new], "\(old)")
    }
  }

  @Test("OpenCLIP's joined query, key and value are taken apart")
  func openCLIP() {
    let map = CompVisNames(unetLayers: 2, autoencoderLevels: 4)
    let prefix = "cond_stage_model.model."
    let all = [
      prefix + "transformer.resblocks.3.attn.in_proj_weight": Weight(
        [1, 2, 3, 4, 5, 6], shape: [6, 1]),
      prefix + "transformer.resblocks.3.attn.in_proj_bias": Weight([1, 2, 3, 4, 5, 6], shape: [6]),
      prefix + "transformer.resblocks.3.mlp.c_fc.weight": Weight([1], shape: [1, 1]),
      prefix + "positional_embedding": Weight([1], shape: [1, 1]),
      prefix + "text_projection": Weight([1], shape: [1, 1]),
    ]
    let weights = map.weights(of: .textEncoder, in: all)
    #expect(weights["encoder.layers.3.self_attn.k_proj.weight"]?.values == [3, 4])
    #expect(weights["encoder.layers.3.self_attn.v_proj.bias"]?.values == [5, 6])
    #expect(weights["encoder.layers.3.mlp.fc1.weight"] != nil)
    #expect(weights["embeddings.position_embedding.weight"] != nil)
    #expect(weights.count == 8)
  }
}
