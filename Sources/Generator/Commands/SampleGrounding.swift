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

  @Option(
    help: "A module's file, or the name of one that comes with the model; its first when left out.")
  var module: String?

  /// What finds categories, where any are asked for here or by a line of a table.
  ///
  /// - Throws: ``GeneratorError`` when a name is none, or the module does not fit the model.
  func finder(
    _ model: DiffusionModel, _ jobs: [SampleCommand.Job]
  ) throws(GeneratorError) -> SampleFinder? {
    guard ground != nil || jobs.contains(where: { $0.categories != nil }) else { return nil }
    let path = try Grounder.modulePath(module, model.directory)
    return SampleFinder(
      grounder: try Grounder(model: model, path: path), path: path,
      categories: try ground.map(GroundOutput.categories) ?? [])
  }
}

/// Finds categories in drawn pictures.
struct SampleFinder {
  let grounder: Grounder
  let path: String
  /// Those of every picture whose own line names none.
  let categories: [String]

  /// Writes what is found in a picture beside it.
  func write(
    _ picture: RGBImage, latent: Tensor, job: SampleCommand.Job, path image: String
  ) throws {
    let categories = job.categories ?? self.categories
    guard !categories.isEmpty else { return }
    let found = MaskResolution()(
      try grounder.probabilities(
        latent: latent, categories: categories, prompt: job.prompt, seed: job.seed))
    let file = URL(fileURLWithPath: image)
    let writer = GroundOutput(
      folder: file.deletingLastPathComponent().path,
      stem: file.deletingPathExtension().lastPathComponent, categories: categories,
      splitsInstances: false, minimumPixels: 1)
    _ = try writer.write(picture, found, image: image, module: path)
  }
}
