package import Foundation
import Synchronization

/// A model in the directory layout of Hugging Face *diffusers*.
package struct ModelDirectory: Sendable {
  /// Where it is.
  package let path: String
  /// A single-file checkpoint whose weights are used instead of the directory's.
  package var checkpoint: String?
  /// A directory with another autoencoder, full or tiny, that is used instead of the model's.
  package var autoencoder: String?
  /// What is added to the weights.
  package var adapters: [LowRankAdapter] = []

  /// One part of a model.
  package enum Part: String, Sendable, CaseIterable {
    case textEncoder = "text_encoder"
    case unet
    case autoencoder = "vae"

    var stem: String { self == .textEncoder ? "model" : "diffusion_pytorch_model" }
  }

  /// Looks at a directory.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration`` when it is none or lacks
  ///   `model_index.json`.
  package init(path: String) throws(GeneratorError) {
    self.path = path
    guard FileManager.default.fileExists(atPath: path + "/model_index.json") else {
      throw GeneratorError(
        .badConfiguration,
        "\(path): no model_index.json; expected a directory in the layout of diffusers")
    }
  }

  private func folder(_ part: Part) -> String {
    if part == .autoencoder, let autoencoder { return autoencoder }
    return "\(path)/\(part.rawValue)"
  }

  /// The bytes of a part's configuration.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``.
  package func configuration(_ part: Part) throws(GeneratorError) -> (json: Data, file: String) {
    let file = folder(part) + "/config.json"
    return (try readConfiguration(file), file)
  }

  /// The noise schedule, for the sampler that the file names or another.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``.
  package func noiseSchedule(kind: SamplerKind? = nil) throws(GeneratorError) -> NoiseSchedule {
    let file = path + "/scheduler/scheduler_config.json"
    return try NoiseSchedule(json: readConfiguration(file), file: file, kind: kind)
  }

  /// The files that hold a part's weights: one, the shards of an index, or the `.fp16.` variant of
  /// either, in this order of preference.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint``.
  package func weightFiles(_ part: Part) throws(GeneratorError) -> [String] {
    let isReplaced = part == .autoencoder && autoencoder != nil
    if let checkpoint, !isReplaced { return [checkpoint] }
    let folder = folder(part) + "/"
    for name in [part.stem + ".safetensors", part.stem + ".fp16.safetensors"] {
      if FileManager.default.fileExists(atPath: folder + name) { return [folder + name] }
    }
    for name in [
      part.stem + ".safetensors.index.json", part.stem + ".safetensors.index.fp16.json",
      part.stem + ".fp16.safetensors.index.json",
    ] where FileManager.default.fileExists(atPath: folder + name) {
      return try shards(folder, name)
    }
    let binary =
      FileManager.default.fileExists(atPath: folder + part.stem + ".bin")
      || FileManager.default.fileExists(atPath: folder + "pytorch_model.bin")
    throw GeneratorError(
      .badCheckpoint,
      "\(folder): no \(part.stem).safetensors"
        + (binary ? "; it holds pickled weights, which have to be converted first" : ""))
  }

  private func shards(_ folder: String, _ name: String) throws(GeneratorError) -> [String] {
    struct Index: Decodable { let weight_map: [String: String] }
    let file = folder + name
    let index: Index
    do {
      index = try JSONDecoder().decode(
        Index.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
    } catch {
      throw GeneratorError(.badCheckpoint, "\(file): not an index of shards", cause: error)
    }
    let names = Set(index.weight_map.values).sorted()
    if let bad = names.first(where: { $0.contains("/") || $0.hasPrefix(".") }) {
      throw GeneratorError(.badCheckpoint, "\(file): '\(bad)' lies outside the directory")
    }
    return names.map { folder + $0 }
  }

  /// The weights of a part under their newest published names.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint``, ``GeneratorError/Code/fileAccess``.
  package func weights(
    _ part: Part, workspace: Workspace
  ) throws(GeneratorError) -> WeightCollection {
    var weights: [String: Weight] = [:]
    var files: [MappedFile] = []
    for path in try weightFiles(part) {
      let file = try SafetensorsFile(path: path)
      files.append(file.file)
      for (key, weight) in try file.weights() {
        weights[part == .autoencoder ? newAttentionName(key) : key] = weight
      }
    }
    if CompVisNames.areCompVis(weights.keys) {
      weights = try compVisNames().weights(of: part, in: weights)
      if part == .textEncoder { weights = try withoutUnusedLayers(weights) }
    }
    for adapter in adapters {
      weights = try adapter.merged(into: weights, part: part, workspace: workspace)
    }
    let isReplaced = part == .autoencoder && autoencoder != nil
    let name =
      isReplaced ? folder(part) : checkpoint.map { "\($0), \(part.rawValue)" } ?? folder(part)
    return WeightCollection(weights, name: name, workspace: workspace, files: files)
  }

  private func compVisNames() throws(GeneratorError) -> CompVisNames {
    let (unet, unetFile) = try configuration(.unet)
    let (autoencoder, autoencoderFile) = try configuration(.autoencoder)
    return CompVisNames(
      unetLayers: try UNetConfiguration(json: unet, file: unetFile).layersPerBlock,
      autoencoderLevels: try AutoencoderConfiguration(json: autoencoder, file: autoencoderFile)
        .blockChannels.count)
  }

  /// Single files keep the last layer of OpenCLIP, which Stable Diffusion 2 does not use.
  private func withoutUnusedLayers(
    _ weights: [String: Weight]
  ) throws(GeneratorError) -> [String: Weight] {
    let (json, file) = try configuration(.textEncoder)
    let count = try TextEncoderConfiguration(json: json, file: file).layerCount
    return weights.filter { !$0.key.hasPrefix("encoder.layers.\(count).") }
  }
}

/// The names that the attention of autoencoders has had since diffusers 0.13.
func newAttentionName(_ key: String) -> String {
  let parts = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
  guard let place = parts.firstIndex(of: "attentions"), place + 2 < parts.count else { return key }
  let names = ["query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"]
  guard let name = names[parts[place + 2]] else { return key }
  return (parts[..<(place + 2)] + [name] + parts[(place + 3)...]).joined(separator: ".")
}

extension SafetensorsFile {
  /// Tensors of floats by name; integers (old text encoders keep position numbers) are left out.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` when a tensor has 64-bit or 8-bit floats.
  func weights() throws(GeneratorError) -> [String: Weight] {
    var result: [String: Weight] = [:]
    for (key, entry) in entries {
      guard let kind = Weight.Kind(safetensors: entry.elementType) else {
        guard !entry.elementType.hasPrefix("F") else {
          throw GeneratorError(
            .badCheckpoint,
            "\(file.path): '\(key)' is \(entry.elementType); expected F32, F16 or BF16")
        }
        continue
      }
      if entry.range.lowerBound % kind.bytes == 0 {
        result[key] = Weight(
          shape: entry.shape, kind: kind, source: .file(file), offsetBytes: entry.range.lowerBound)
      } else {
        result[key] = Weight(copying: file, range: entry.range, shape: entry.shape, kind: kind)
      }
    }
    return result
  }
}

extension Weight {
  /// A copy, for values that lie at an odd place in their file.
  fileprivate init(copying file: MappedFile, range: Range<Int>, shape: [Int], kind: Kind) {
    let memory = Memory(bytes: range.count)
    // Safe: the memory was made for exactly these bytes, and the range was checked at open.
    unsafe memory.pointer.copyMemory(
      from: file.pointer(at: range.lowerBound), byteCount: range.count)
    self.init(shape: shape, kind: kind, source: .memory(memory))
  }
}
