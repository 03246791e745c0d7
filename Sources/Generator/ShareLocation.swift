import Foundation

/// Where the folders are that come with the program: its sprites and its model.
package enum ShareLocation {
  /// The folder `name`, or nil with all places that were looked at.
  ///
  /// In this order: in the folder that the environment variable `GROUNDWELL_SHARE` names; in
  /// `../share/groundwell` from the program's folder (an installation); in
  /// `groundwell_Generator.resources` in the program's folder (a build).
  package static func find(
    _ name: String, environment: [String: String], programFolder: String
  ) -> (path: String?, places: [String]) {
    var places: [String] = []
    if let share = environment["GROUNDWELL_SHARE"], !share.isEmpty {
      places.append("\(share)/\(name)")
    }
    let installed = URL(fileURLWithPath: programFolder).deletingLastPathComponent().path
    places.append((installed == "/" ? "" : installed) + "/share/groundwell/\(name)")
    places.append(programFolder + "/groundwell_Generator.resources/\(name)")
    return (places.first { FileManager.default.fileExists(atPath: $0) }, places)
  }

  /// The folder of sprites: `option`, or the one that comes with the program.
  ///
  /// - Throws: ``GeneratorError/Code/badSprites`` with all places that were looked at.
  package static func sprites(
    option: String?, environment: [String: String], programFolder: String
  ) throws(GeneratorError) -> String {
    if let option { return option }
    let found = find("sprites", environment: environment, programFolder: programFolder)
    guard let path = found.path else {
      throw GeneratorError(
        .badSprites,
        "no sprites found; looked at \(found.places.joined(separator: ", ")); "
          + "name a folder with --sprites, or set GROUNDWELL_SHARE")
    }
    return path
  }

  /// The directory of a model: the one that comes with the program for its name `stickers`, unless a
  /// folder of that name is there; `option` itself for all else.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration`` with all places that were looked at.
  package static func model(
    option: String, environment: [String: String], programFolder: String
  ) throws(GeneratorError) -> String {
    guard option == shippedModel,
      !FileManager.default.fileExists(atPath: option + "/model_index.json")
    else { return option }
    let found = find(shippedModel, environment: environment, programFolder: programFolder)
    guard let path = found.path else {
      throw GeneratorError(
        .badConfiguration,
        "the model '\(shippedModel)' that comes with this program was not found; looked at "
          + "\(found.places.joined(separator: ", ")); name a directory with --model, or set "
          + "GROUNDWELL_SHARE")
    }
    return path
  }

  /// The folder of the splits that come with the program.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration`` with all places that were looked at.
  package static func splits(
    environment: [String: String], programFolder: String
  ) throws(GeneratorError) -> String {
    let found = find("splits", environment: environment, programFolder: programFolder)
    guard let path = found.path else {
      throw GeneratorError(
        .badConfiguration,
        "no splits found; looked at \(found.places.joined(separator: ", ")); "
          + "name a file with --split, or set GROUNDWELL_SHARE")
    }
    return path
  }

  /// The name of the model that comes with the program.
  package static let shippedModel = "stickers"

  /// The folder of the running program.
  package static func programFolder() -> String {
    let link = "/proc/self/exe"
    let path =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: link))
      ?? CommandLine.arguments.first ?? "."
    return URL(fileURLWithPath: path).deletingLastPathComponent().path
  }
}
