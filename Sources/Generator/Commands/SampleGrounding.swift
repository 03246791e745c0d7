import ArgumentParser
import Foundation
import Schema

/// What `sample` finds in the pictures that it draws.
struct SampleGrounding: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Categories to find in each picture, split by commas.",
      discussion: "Writes an overlay, a PNG for each mask and JSON beside the picture."))
  var ground: String?

  @Option(help: "The module's file; grounding/module.safetensors of the model when left out.")
  var module: String?

  /// What finds the categories, where any are asked for.
  ///
  /// - Throws: ``GeneratorError`` when a name is none, or the module does not fit the model.
  func finder(_ model: DiffusionModel) throws(GeneratorError) -> SampleFinder? {
    guard let ground else { return nil }
    let path = module ?? Grounder.standardPath(model.directory)
    return SampleFinder(
      grounder: try Grounder(model: model, path: path), path: path,
      categories: try GroundOutput.categories(ground))
  }
}

/// Finds categories in drawn pictures.
struct SampleFinder {
  let grounder: Grounder
  let path: String
  let categories: [String]

  /// Writes what is found in a picture beside it.
  func write(
    _ picture: RGBImage, latent: Tensor, prompt: String, seed: UInt64, path image: String
  ) throws {
    let found = MaskResolution()(
      try grounder.probabilities(
        latent: latent, categories: categories, prompt: prompt, seed: seed))
    let file = URL(fileURLWithPath: image)
    let writer = GroundOutput(
      folder: file.deletingLastPathComponent().path,
      stem: file.deletingPathExtension().lastPathComponent, categories: categories,
      splitsInstances: false, minimumPixels: 1)
    _ = try writer.write(picture, found, image: image, module: path)
  }
}
