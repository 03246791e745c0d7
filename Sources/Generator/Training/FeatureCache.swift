import Foundation
import Schema

/// The U-Net's features of training pictures on disk, in half precision, so that each picture
/// passes through the U-Net once.
///
/// What is there stays until the limit is reached; then nothing more is kept. (Whatever goes
/// through its pictures epoch after epoch gains nothing from giving up the oldest.) A file that
/// cannot be read counts as missing, and one that cannot be written is left out and remembered in
/// ``failure``: either costs time, not the run.
package final class FeatureCache {
  private let folder: String
  private let baseModel: String
  private let maximumBytes: Int
  /// Bytes of files in the folder.
  package private(set) var bytes = 0
  /// Why features could not be written, the first time.
  package private(set) var failure: GeneratorError?

  /// Opens a folder, which is made if it is not there.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess``.
  package init(folder: String, baseModel: String, maximumBytes: Int) throws(GeneratorError) {
    (self.folder, self.baseModel, self.maximumBytes) = (folder, baseModel, maximumBytes)
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
        let facts = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")
        bytes += (facts[.size] as? NSNumber)?.intValue ?? 0
      }
    } catch {
      throw GeneratorError(
        .fileAccess, "\(folder): no folder for features can be made or read there", cause: error)
    }
  }

  /// The features of a picture, if they are there.
  func read(
    _ example: TrainingExample, _ configuration: GroundingConfiguration, _ workspace: Workspace
  ) -> DiffusionFeatures? {
    let path = path(example, configuration)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    do throws(GeneratorError) {
      let file = try SafetensorsFile(path: path)
      let weights = WeightCollection(
        try file.weights(), name: path, workspace: workspace, files: [file.file])
      var levels: [[Tensor]] = []
      for level in configuration.levels.indices {
        var blocks: [Tensor] = []
        while let entry = file.entries["\(level).\(blocks.count)"] {
          blocks.append(weights.root.tensor("\(level).\(blocks.count)", entry.shape))
        }
        levels.append(blocks)
      }
      try weights.finish()
      let features = DiffusionFeatures(levels: levels)
      return features.channels == configuration.levels.map(\.inputs) ? features : nil
    } catch {
      return nil
    }
  }

  /// Features as they will be read: rounded to half precision, and written if there is room.
  func kept(
    _ features: DiffusionFeatures, _ example: TrainingExample,
    _ configuration: GroundingConfiguration
  ) -> DiffusionFeatures {
    let named = features.levels.enumerated().flatMap { level, blocks in
      blocks.enumerated().map { (name: "\(level).\($0)", value: $1) }
    }
    let count = named.map { 2 * $0.value.count }.reduce(4096, +)
    if bytes + count <= maximumBytes {
      do throws(GeneratorError) {
        try SafetensorsWriter.write(
          named, metadata: [:], precision: .float16, to: path(example, configuration))
        bytes += count
      } catch {
        failure = failure ?? error
      }
    }
    return features.rounded()
  }

  /// The file of a picture's features: named by all that they depend on.
  private func path(_ example: TrainingExample, _ configuration: GroundingConfiguration) -> String {
    let image = example.image
    let text =
      "\(baseModel) \(configuration.timestep) \(configuration.isPaired) "
      + "\(configuration.usedLevels ?? []) \(example.triplet) \(image.width)x\(image.height) "
      + example.prompt
    var key = fnv1a64(text)
    for pixel in image.pixels { key = (key ^ UInt64(pixel)) &* 0x0000_0100_0000_01B3 }
    return "\(folder)/\(String(mix64(key), radix: 16)).safetensors"
  }
}

extension DiffusionFeatures {
  /// The features in half precision.
  fileprivate func rounded() -> DiffusionFeatures {
    DiffusionFeatures(
      levels: levels.map { blocks in
        blocks.map { block in
          block.workspace.tensor(block.values.map { Float(Float16($0)) }, shape: block.shape)
        }
      })
  }
}
