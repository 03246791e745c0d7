import Foundation

/// Where the sprites are: what the user says, then what surrounds the program.
package enum SpriteLocation {
  /// The folder to read.
  ///
  /// In this order: `option`; `sprites` in the folder that the environment variable
  /// `GROUNDWELL_SHARE` names; `../share/groundwell/sprites` from the program's folder (an
  /// installation); `groundwell_Generator.resources/sprites` in the program's folder (a build).
  ///
  /// - Throws: ``GeneratorError/Code/badSprites`` with all places that were looked at.
  package static func find(
    option: String?, environment: [String: String], programFolder: String
  ) throws(GeneratorError) -> String {
    if let option { return option }
    var places: [String] = []
    if let share = environment["GROUNDWELL_SHARE"], !share.isEmpty {
      places.append(share + "/sprites")
    }
    let installed = URL(fileURLWithPath: programFolder).deletingLastPathComponent().path
    places.append((installed == "/" ? "" : installed) + "/share/groundwell/sprites")
    places.append(programFolder + "/groundwell_Generator.resources/sprites")
    for place in places where FileManager.default.fileExists(atPath: place) { return place }
    throw GeneratorError(
      .badSprites,
      "no sprites found; looked at \(places.joined(separator: ", ")); "
        + "name a folder with --sprites, or set GROUNDWELL_SHARE")
  }

  /// The folder of the running program.
  package static func programFolder() -> String {
    let link = "/proc/self/exe"
    let path =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: link))
      ?? CommandLine.arguments.first ?? "."
    return URL(fileURLWithPath: path).deletingLastPathComponent().path
  }
}
