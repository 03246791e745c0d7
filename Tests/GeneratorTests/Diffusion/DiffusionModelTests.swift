import Schema
import Testing

@testable import Generator

/// What callers of `DiffusionModel` rely on beyond the published values.
@Suite struct DiffusionModelTests {
  private func request(seeds: [UInt64] = [7]) -> SamplingRequest {
    var request = SamplingRequest(
      prompts: [String](repeating: "a cat", count: seeds.count), seeds: seeds)
    (request.width, request.height, request.steps) = (32, 32, 3)
    return request
  }

  @Test("the same seed gives the same bytes; threads change no pixel by more than one")
  func repeats() throws {
    var pictures: [RGBImage] = []
    for threads in [1, 1, 2] {
      let model = try DiffusionModel(
        directory: Fixtures.model("sd1"), workspace: Workspace(threadCount: threads))
      pictures += model.pictures(try model.sample(request()).latent)
    }
    #expect(pictures[0] == pictures[1])
    let differences = zip(pictures[0].pixels, pictures[2].pixels).map { abs(Int($0) - Int($1)) }
    #expect((differences.max() ?? 255) <= 1)
    #expect(Set(pictures[0].pixels).count > 10)
  }

  @Test("a U-Net evaluation takes no memory after the first")
  func reusesMemory() throws {
    let workspace = Workspace(threadCount: 1)
    let model = try DiffusionModel(directory: Fixtures.model("sd1"), workspace: workspace)
    var counts: [Int] = []
    _ = try model.sample(request()) { _, _, _ in counts.append(workspace.allocationCount) }
    #expect(counts.count == 4)
    #expect(counts[1] == counts[3], "\(counts)")
  }

  @Test("a picture of a batch is the picture drawn alone")
  func batches() throws {
    let model = try DiffusionModel(
      directory: Fixtures.model("sd1"), workspace: Workspace(threadCount: 1))
    let both = try model.sample(request(seeds: [7, 8])).latent
    let alone = try model.sample(request(seeds: [8])).latent
    #expect(relativeError(both.slice(1..<2).values, alone.values) <= 1e-5)
    #expect(relativeError(both.slice(0..<1).values, alone.values) > 0.1)
  }

  @Test("blocks are handed out at the steps asked for, for both halves of the guidance batch")
  func tapsAtSteps() throws {
    let model = try DiffusionModel(
      directory: Fixtures.model("sd1"), workspace: Workspace(threadCount: 1))
    var request = request()
    request.request = { UNetRequest(blocks: $0 == 2) }
    let result = try model.sample(request)
    #expect(result.outputs.map(\.stepIndex) == [2])
    #expect(result.outputs.first?.output.blocks.count == 9)
    #expect(result.outputs.first?.output.blocks.allSatisfy { $0.value.shape[0] == 2 } == true)
  }

  @Test("a picture becomes a latent, and noise is mixed in by the schedule")
  func picturesToLatents() throws {
    let model = try DiffusionModel(
      directory: Fixtures.model("sd1"), workspace: Workspace(threadCount: 1))
    let picture = RGBImage(
      width: 16, height: 24, pixels: (0..<16 * 24 * 3).map { UInt8($0 * 7 % 256) })
    let latent = try model.latent(of: picture)
    #expect(latent.shape == [1, 12, 8, 4])
    let almostClean = try model.noised(latent, timestep: 0, seed: 1)
    #expect(relativeError(almostClean.values, latent.values) < 1)
    let noisy = try model.noised(latent, timestep: 999, seed: 1)
    var generator = TorchRandom(seed: 1)
    let noise = model.workspace.tensor(generator.normals(latent.count), shape: [1, 4, 12, 8])
      .channelsLast()
    #expect(relativeError(noisy.values, noise.values) < 0.2)
    #expect(throws: GeneratorError.self) {
      try model.noised(latent, timestep: 1000, seed: 1)
    }
  }

  @Test("another autoencoder takes the place of the model's, and its part of the fingerprint")
  func otherAutoencoder() throws {
    let workspace = Workspace(threadCount: 1)
    var directory = try Fixtures.model("sd1")
    let own = try Fingerprint.model(directory, workspace: workspace)
    directory.autoencoder = Fixtures.root + "/models/taesd"
    #expect(try Fingerprint.model(directory, workspace: workspace) != own)
    let autoencoder = try Autoencoder(directory: directory, workspace: workspace)
    let fixture = try Fixtures.tensors("outputs/taesd", workspace)
    let latent = try #require(fixture["latent"]).channelsLast()
    try expectNear(
      autoencoder.decoded(latent.slice(0..<1)).channelsFirst(),
      try #require(fixture["decoded"]).slice(0..<1), 1e-5, "tiny autoencoder in a model")
    directory.autoencoder = Fixtures.root + "/models"
    let error = #expect(throws: GeneratorError.self) {
      try Autoencoder(directory: directory, workspace: workspace)
    }
    #expect(error?.message.contains("models/config.json") == true)
  }

  @Test("the places of a phrase are found wherever it stands")
  func phrasePositions() throws {
    let model = try DiffusionModel(
      directory: Fixtures.model("sd1"), workspace: Workspace(threadCount: 1))
    let prompt = "a potted plant, a cat and a Potted Plant"
    let found = try model.positions(of: "potted plant", in: prompt)
    #expect(found.count == 2)
    let tokens = try model.tokenizer.encode(prompt, length: 77).tokens
    let phrase = try model.tokenizer.encode("potted plant", length: 77)
    for places in found {
      #expect(places.map { tokens[$0] } == Array(phrase.tokens[1...phrase.textTokenCount]))
    }
    #expect(try model.positions(of: "dog", in: prompt).isEmpty)
    #expect(try model.positions(of: "", in: prompt).isEmpty)
  }

  @Test("the fingerprint is of the weights, not of their place")
  func fingerprints() throws {
    let workspace = Workspace(threadCount: 2)
    let one = try Fingerprint.model(Fixtures.model("sd1"), workspace: workspace)
    #expect(one == (try Fingerprint.model(Fixtures.model("sd1"), workspace: workspace)))
    #expect(one != (try Fingerprint.model(Fixtures.model("sd2"), workspace: workspace)))
    #expect(one.count == 16)
  }
}
