import Foundation
import Schema
import Testing

@testable import Generator

/// Model directories and requests that cannot work: one clear error each.
@Suite struct BadModelTests {
  private let workspace = Workspace(threadCount: 1)

  /// Copies the tiny model, changes it and loads it.
  private func load(_ change: (String) throws -> Void) throws -> DiffusionModel {
    let folder = NSTemporaryDirectory() + "bad-model-\(UUID().uuidString)"
    try FileManager.default.copyItem(atPath: Fixtures.root + "/models/sd2", toPath: folder)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try change(folder)
    return try DiffusionModel(directory: ModelDirectory(path: folder), workspace: workspace)
  }

  private func replace(_ path: String, _ old: String, _ new: String) throws {
    let url = URL(fileURLWithPath: path)
    let text = try String(contentsOf: url, encoding: .utf8)
    try #require(text.contains(old))
    try text.replacingOccurrences(of: old, with: new)
      .write(to: url, atomically: true, encoding: .utf8)
  }

  private func expectRefused(
    _ code: GeneratorError.Code, _ part: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ change: (String) throws -> Void
  ) {
    let error = #expect(throws: GeneratorError.self, sourceLocation: sourceLocation) {
      _ = try load(change)
    }
    #expect(error?.code == code, sourceLocation: sourceLocation)
    #expect(
      error?.message.contains(part) == true, "\(error?.message ?? "no error")",
      sourceLocation: sourceLocation)
  }

  @Test("a directory without a part names the part")
  func missingParts() {
    for part in ["unet", "vae", "text_encoder", "tokenizer", "scheduler"] {
      let error = #expect(throws: GeneratorError.self) {
        let model = try load { try FileManager.default.removeItem(atPath: "\($0)/\(part)") }
        // The scheduler is read when it is used.
        _ = try model.directory.noiseSchedule()
      }
      #expect(error?.message.contains("/\(part)") == true)
    }
    expectRefused(.badConfiguration, "no model_index.json") {
      try FileManager.default.removeItem(atPath: $0 + "/model_index.json")
    }
  }

  @Test("an unknown block type is named, with what is known")
  func unknownBlock() {
    expectRefused(.badConfiguration, "unknown block type 'AttnDownBlock2D'") {
      try replace($0 + "/unet/config.json", "CrossAttnDownBlock2D", "AttnDownBlock2D")
    }
    expectRefused(.badConfiguration, "hidden_act is 'tanh'") {
      try replace($0 + "/text_encoder/config.json", "\"gelu\"", "\"tanh\"")
    }
  }

  @Test("missing, misshapen and unused tensors come in one error")
  func wrongTensors() {
    expectRefused(.badCheckpoint, "no tensor 'conv_in.weight'") { folder in
      for file in try FileManager.default.contentsOfDirectory(atPath: folder + "/unet")
      where file.hasSuffix(".safetensors") {
        let url = URL(fileURLWithPath: "\(folder)/unet/\(file)")
        var data = try Data(contentsOf: url)
        for (old, new) in [
          ("conv_in.weight", "conv_xn.weight"), ("conv_out.weight", "conv_oxt.weight"),
        ] {
          if let range = data.range(of: Data(old.utf8)) {
            data.replaceSubrange(range, with: Data(new.utf8))
          }
        }
        try data.write(to: url)
      }
    }
    let error = #expect(throws: GeneratorError.self) {
      _ = try load {
        try replace(
          $0 + "/unet/config.json", "\"cross_attention_dim\": 32", "\"cross_attention_dim\": 31")
      }
    }
    #expect(error?.message.contains("[16, 32], this model needs [16, 31]") == true)
    #expect((error?.message.components(separatedBy: "; ").count ?? 0) > 1)
  }

  @Test("a weight that is not a number is named")
  func notANumber() {
    expectRefused(.badCheckpoint, "holds NaN or infinity") { folder in
      let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/vae")
        .filter { $0.hasSuffix(".safetensors") }
      let url = URL(fileURLWithPath: "\(folder)/vae/\(try #require(files.first))")
      var data = try Data(contentsOf: url)
      data.replaceSubrange(data.count - 4..<data.count, with: [0, 0, 0xC0, 0x7F])
      try data.write(to: url)
    }
  }

  @Test("a vocabulary larger than the text encoder is refused with both sizes")
  func largeVocabulary() {
    expectRefused(.badConfiguration, "tokens, the text encoder") {
      try replace($0 + "/tokenizer/vocab.json", "\"!\": 0", "\"!\": 0, \"extra\": 99999")
    }
  }

  @Test("sizes, prompts, steps and seeds outside their range are refused by name")
  func badRequests() throws {
    let model = try DiffusionModel(directory: Fixtures.model("sd2"), workspace: workspace)
    func refuse(_ part: String, _ change: (inout SamplingRequest) -> Void) {
      var request = SamplingRequest(prompts: ["a cat"], seeds: [1])
      (request.width, request.height, request.steps) = (32, 32, 1)
      change(&request)
      let error = #expect(throws: GeneratorError.self) { _ = try model.sample(request) }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }
    refuse("width 33; expected a multiple of 8") { $0.width = 33 }
    refuse("height 0; expected") { $0.height = 0 }
    refuse("width 1000000; expected") { $0.width = 1_000_000 }
    refuse("0 steps; expected 1 to 1000") { $0.steps = 0 }
    refuse("1001 steps") { $0.steps = 1001 }
    refuse("0 prompts") { $0.prompts = [] }
    refuse("1 seeds for 2 prompts") { $0.prompts = ["a", "b"] }
    refuse("guidance scale nan") { $0.guidanceScale = .nan }
    refuse("a prompt of 1048576 bytes; at most 8192") {
      $0.prompts = [String(repeating: "a", count: 1 << 20)]
    }
    #expect(throws: GeneratorError.self) { try DiffusionModel.prompt([0x61, 0xFF]) }
    #expect(try DiffusionModel.prompt(Array("é".utf8)) == "é")
    #expect(throws: GeneratorError.self) {
      try model.latent(of: RGBImage(width: 9, height: 8, pixels: [UInt8](repeating: 0, count: 216)))
    }
  }

  @Test(
    "a prompt file with a bad line is refused by its number",
    arguments: [
      ([0x61, 0x0A, 0x0A, 0xC3, 0x28] as [UInt8], "line 3: a prompt is not valid UTF-8"),
      ([UInt8](repeating: 0x61, count: 1 << 20), "line 1: a prompt of 1048576 bytes"),
      ([0x0A, 0x20, 0x0A], "no prompt in it"),
    ])
  func badPromptFile(bytes: [UInt8], part: String) throws {
    let path = NSTemporaryDirectory() + "prompts-\(UUID().uuidString)"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let error = #expect(throws: (any Error).self) { try SampleCommand.prompts(inFile: path) }
    #expect(error.map { "\($0)".contains(part) } == true, "\(String(describing: error))")
  }

  @Test("a truncated file of weights is named")
  func truncatedWeights() {
    expectRefused(.badCheckpoint, "truncated") { folder in
      let name = try #require(
        FileManager.default.contentsOfDirectory(atPath: folder + "/unet")
          .filter { $0.hasSuffix(".safetensors") }.min())
      let url = URL(fileURLWithPath: "\(folder)/unet/\(name)")
      let data = try Data(contentsOf: url)
      try data.prefix(data.count - 100).write(to: url)
    }
  }

  @Test("a prompt of 8192 letters is cut with a note, in time")
  func longestPrompt() throws {
    let model = try DiffusionModel(directory: Fixtures.model("sd2"), workspace: workspace)
    let prompt = String(repeating: "a", count: Tokenizer.maximumPromptBytes)
    #expect(try model.embed([prompt, "a cat"]).truncated == [prompt])
  }
}
