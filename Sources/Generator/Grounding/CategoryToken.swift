import Foundation
import Schema

/// The query of one category, tuned on an annotated picture instead of taken from the text encoder.
///
/// Marcos-Manchón et al., "Open-Vocabulary Attention Maps with Token Optimization for Semantic
/// Segmentation in Diffusion Models" (OVAM), CVPR 2024, tune the token of an attention map; here it
/// is the query of a ``GroundingModule``, which stays as it is.
package struct CategoryToken {
  /// The words by which a token's file is known.
  package static let format = "groundwell-token-1"

  /// The category that it stands for.
  package let category: String
  /// `[1, textChannels]`.
  package let query: Tensor
  /// Hash of the base model.
  package let baseModel: String
  /// Hash of the module's parameters.
  package let module: String

  /// Names a query.
  package init(category: String, query: Tensor, baseModel: String, module: String) {
    self.category = category
    self.query = query
    self.baseModel = baseModel
    self.module = module
  }

  /// Reads a token.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` when the file is no token, or its tensor is
  ///   missing, misshapen or not finite; ``GeneratorError/Code/fileAccess``.
  package init(
    path: String, textChannels: Int, workspace: Workspace
  ) throws(GeneratorError) {
    let file = try SafetensorsFile(path: path)
    let texts = try file.metadata()
    guard texts["format"] == Self.format, let category = texts["category"], !category.isEmpty else {
      throw GeneratorError(
        .badCheckpoint,
        "\(path): format '\((texts["format"] ?? "none").prefix(40))'; expected '\(Self.format)', "
          + "as tune-token writes it")
    }
    let weights = WeightCollection(
      try file.weights(), name: path, workspace: workspace, files: [file.file])
    query = weights.root.tensor("query", [1, textChannels])
    try weights.finish()
    self.category = category
    (baseModel, module) = (texts["base_model"] ?? "", texts["module"] ?? "")
  }

  /// Writes the token.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess``.
  package func write(to path: String) throws(GeneratorError) {
    try SafetensorsWriter.write(
      [(name: "query", value: query)],
      metadata: [
        "format": Self.format, "category": category, "base_model": baseModel, "module": module,
      ], precision: .float32, to: path)
  }
}

extension GroundingModule {
  /// A hash of all values, for the files that depend on them.
  package var fingerprint: String {
    var hash = fnv1a64("groundwell-grounding")
    for (_, value) in tensors {
      for number in value.values { hash = mix64(hash ^ UInt64(number.bitPattern)) }
    }
    return String(hash, radix: 16)
  }
}
