import Foundation
import Schema
import Testing

@testable import Generator

/// Whole networks and samplers against diffusers; files by `python/fixtures/make_fixtures.py`.
@Suite struct DiffusionFixtureTests {
  private let workspace = Workspace(threadCount: 2)
  private static let models = ["sd1", "sd2", "turbo", "lcm"]
  private let prompt = "a photograph of a cat and a dog"
  private let negative = "blurry"

  @Test("text encoders read their tokens", arguments: models)
  func textEncoders(name: String) throws {
    let model = try DiffusionModel(directory: Fixtures.model(name), workspace: workspace)
    let expected = try Fixtures.tensors("outputs/\(name)/text", workspace)
    for (index, text) in [negative, prompt].enumerated() {
      let tokens = try model.tokenizer.encode(text, length: 77).tokens
      #expect(tokens.map { Float($0) } == expected["ids"]?.slice(index..<index + 1).values)
    }
    let embedding = try model.embed([negative, prompt]).embedding
    try expectNear(embedding, expected["embedding"], 1e-5, "text encoder \(name)")
  }

  @Test("one U-Net evaluation, square and of odd size", arguments: models)
  func unetSteps(name: String) throws {
    let model = try DiffusionModel(directory: Fixtures.model(name), workspace: workspace)
    let context = try #require(
      try Fixtures.tensors("outputs/\(name)/text", workspace)["embedding"])
    for (file, rows, timestep) in [("unet", 0..<2, Float(981)), ("unet_odd", 1..<2, 1)] {
      let fixture = try Fixtures.tensors("outputs/\(name)/\(file)", workspace)
      let latent = try #require(fixture["latent"]).channelsLast()
      let output = model.unet(
        latent, timestep: timestep, context: context.slice(rows), guidance: fixture["condition"])
      try expectNear(output.prediction.channelsFirst(), fixture["y"], 1e-4, "\(file) step \(name)")
      #expect(output.blocks.isEmpty && output.attention.isEmpty)
    }
  }

  @Test("autoencoders encode and decode, under old and new names", arguments: models)
  func autoencoders(name: String) throws {
    let directory = try Fixtures.model(name)
    let fixture = try Fixtures.tensors("outputs/\(name)/vae", workspace)
    let (encoder, decoder, _) = try autoencoder(directory)
    try expectNear(
      encoder(try #require(fixture["picture"]).channelsLast()).channelsFirst(),
      fixture["moments"], 1e-5, "vae encoder \(name)")
    try expectNear(
      decoder(try #require(fixture["latent"]).channelsLast()).channelsFirst(),
      fixture["decoded"], 1e-5, "vae decoder \(name)")
  }

  private func autoencoder(
    _ directory: ModelDirectory
  ) throws -> (AutoencoderEncoder, AutoencoderDecoder, AutoencoderConfiguration) {
    let (json, file) = try directory.configuration(.autoencoder)
    let configuration = try AutoencoderConfiguration(json: json, file: file)
    let weights = try directory.weights(.autoencoder, workspace: workspace)
    let encoder = AutoencoderEncoder(weights.root, configuration: configuration)
    let decoder = AutoencoderDecoder(weights.root, configuration: configuration)
    try weights.finish()
    return (encoder, decoder, configuration)
  }

  @Test("large latents are decoded in the tiles of diffusers")
  func tiles() throws {
    let (_, decoder, configuration) = try autoencoder(Fixtures.model("sd1"))
    let fixture = try Fixtures.tensors("outputs/sd1/vae_tiled", workspace)
    let latent = try #require(fixture["latent"]).channelsLast()
    let picture = Autoencoder.decode(latent, decoder, configuration)
    try expectNear(picture.channelsFirst(), fixture["decoded"], 1e-5, "vae decoder in tiles")
  }

  @Test("the tiny autoencoder encodes and decodes")
  func tinyAutoencoder() throws {
    let folder = Fixtures.root + "/models/taesd"
    let configuration = try TinyAutoencoderConfiguration(
      json: readConfiguration(folder + "/config.json"), file: folder)
    let file = try SafetensorsFile(path: folder + "/diffusion_pytorch_model.safetensors")
    let weights = WeightCollection(try file.weights(), name: folder, workspace: workspace)
    let tiny = TinyAutoencoder(weights.root, configuration: configuration)
    try weights.finish()
    let fixture = try Fixtures.tensors("outputs/taesd", workspace)
    try expectNear(
      tiny.encode(try #require(fixture["picture"]).channelsLast()).channelsFirst(),
      fixture["encoded"], 1e-5, "tiny autoencoder, encoder")
    try expectNear(
      tiny.decode(try #require(fixture["latent"]).channelsLast()).channelsFirst(),
      fixture["decoded"], 1e-5, "tiny autoencoder, decoder")
  }

  @Test("the outputs of all blocks come in order of execution, with the published values")
  func blockOutputs() throws {
    let model = try DiffusionModel(directory: Fixtures.model("sd1"), workspace: workspace)
    let fixture = try Fixtures.tensors("outputs/sd1/taps", workspace)
    let context = try #require(try Fixtures.tensors("outputs/sd1/text", workspace)["embedding"])
    let output = model.unet(
      try #require(fixture["latent"]).channelsLast(), timestep: 1, context: context.slice(1..<2),
      request: UNetRequest(blocks: true))
    let names = fixture.keys.filter { $0 != "latent" }.sorted()
    #expect(output.blocks.map(\.name) == names.map { String($0.dropFirst(3)) })
    for (tap, name) in zip(output.blocks, names) {
      let expected = try #require(fixture[name])
      // The fixture keeps every other row and column.
      let (height, width, channels) = (tap.value.shape[1], tap.value.shape[2], tap.value.shape[3])
      let all = tap.value.values
      var picked: [Float] = []
      for y in stride(from: 0, to: height, by: 2) {
        for x in stride(from: 0, to: width, by: 2) {
          let start = (y * width + x) * channels
          picked += all[start..<start + channels]
        }
      }
      #expect(relativeError(picked, expected.channelsLast().values) <= 1e-5, "\(name)")
    }
  }

  @Test("cross-attention probabilities of the layer asked for, and of no other")
  func crossAttention() throws {
    let model = try DiffusionModel(directory: Fixtures.model("sd1"), workspace: workspace)
    let fixture = try Fixtures.tensors("outputs/sd1/cross_attention", workspace)
    let context = try #require(try Fixtures.tensors("outputs/sd1/text", workspace)["embedding"])
    let name = "up_blocks.1.attentions.0.transformer_blocks.0.attn2"
    let output = model.unet(
      try #require(fixture["latent"]).channelsLast(), timestep: 1, context: context.slice(1..<2),
      request: UNetRequest(attention: { $0 == name }))
    #expect(output.attention.map(\.name) == [name])
    try expectNear(
      try #require(output.attention.first).value, fixture["probabilities"], 1e-5,
      "cross-attention probabilities")
  }

  @Test("PyTorch's noise for a seed, whatever the count")
  func noise() throws {
    let fixture = try Fixtures.tensors("outputs/noise", workspace)
    for seed in [0, 7, 4_294_967_295, 1_234_567_890_123] as [UInt64] {
      var generator = TorchRandom(seed: seed)
      for count in [1, 15, 16, 17, 31, 1024] {
        let values = generator.normals(count)
        try expectNear(
          workspace.tensor(values, shape: [count]), fixture["\(seed).\(count)"], 1e-6,
          "noise \(seed).\(count)")
      }
    }
  }

  @Test(
    "every sampler's whole trajectory, and the picture at its end",
    arguments: [
      ("ddim", "sd1", 20, Float(7.5)), ("pndm", "sd1", 20, 7.5), ("dpm", "sd1", 20, 7.5),
      ("euler_leading", "sd1", 20, 7.5), ("ddim_v", "sd2", 20, 5), ("dpm_v", "sd2", 20, 5),
      ("turbo", "turbo", 4, 0), ("lcm", "lcm", 4, 8),
    ])
  func trajectories(name: String, modelName: String, steps: Int, guidance: Float) throws {
    let fixture = try Fixtures.tensors("trajectories/\(name)", workspace)
    let directory = try modelWith(schedulerOf: name, modelName)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let model = try DiffusionModel(
      directory: ModelDirectory(path: directory), workspace: workspace)
    var request = SamplingRequest(prompts: [prompt], seeds: [7])
    request.negativePrompt = negative
    (request.steps, request.guidanceScale) = (steps, guidance)
    (request.width, request.height) = (32, 32)
    let sampler = try model.directory.noiseSchedule().sampler(steps: steps)
    // PyTorch keeps timesteps that lie between two as float32.
    let timesteps = try #require(fixture["timesteps"]).values
    #expect(sampler.timesteps.map { Float($0) } == timesteps)
    var latents: [Float] = []
    let result = try model.sample(request) { _, _, latent in
      latents += latent.channelsFirst().values
    }
    let expected = try #require(fixture["latents"]).values
    let error = relativeError(latents, expected)
    #expect(error <= 1e-3, "\(name): relative error \(error)")
    Figures.record("trajectory \(name)", error, 1e-3)
    let picture = try #require(model.pictures(result.latent).first)
    let pixels = try #require(fixture["pixels"]).values
    let off = zip(picture.pixels, pixels).map { abs(Float($0) - $1) }
    #expect(off.count == pixels.count && (off.max() ?? 255) <= 3)
    let share = Double(off.filter { $0 > 1 }.count) / Double(off.count)
    #expect(share <= 0.001)
    Figures.record("pixels of \(name) off by more than 1, share", share, 0.001)
  }

  /// A copy of a model that names another scheduler.
  private func modelWith(schedulerOf name: String, _ model: String) throws -> String {
    let folder = NSTemporaryDirectory() + "model-\(name)-\(UUID().uuidString)"
    try FileManager.default.copyItem(atPath: Fixtures.root + "/models/\(model)", toPath: folder)
    try FileManager.default.removeItem(atPath: folder + "/scheduler")
    try FileManager.default.copyItem(
      atPath: Fixtures.root + "/trajectories/\(name)", toPath: folder + "/scheduler")
    return folder
  }
}
