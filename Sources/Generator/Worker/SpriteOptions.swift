import ArgumentParser
import Foundation
import Schema

/// Where the sprites come from, for every command that draws.
struct SpriteOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Folder with one subfolder of RGBA PNGs per category.",
      discussion: "Without it, the sprites that come with the program.", valueName: "dir"))
  var sprites: String?

  /// Reads the library.
  ///
  /// - Throws: ``GeneratorError/Code/badSprites``.
  func library() throws(GeneratorError) -> SpriteLibrary {
    let path = try ShareLocation.sprites(
      option: sprites, environment: ProcessInfo.processInfo.environment,
      programFolder: ShareLocation.programFolder())
    return try SpriteLibrary(folder: path)
  }
}

extension WorkItem {
  /// An item that no daemon gave out, for the commands that show scenes.
  static func local(
    _ category: CategoryName, size: Int, seed: Int64, companions: [Companion]
  ) -> WorkItem {
    WorkItem(
      job: 0, ordinal: 0, token: 0, category: category, engine: SceneEngine.name,
      imageSize: size, seed: seed, companions: companions, attempts: 0, expiresMicroseconds: 0)
  }
}
