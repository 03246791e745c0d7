import Foundation

extension ModelDirectory {
  /// The directory that a command line names; `stickers` is the one that comes with the program.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``.
  static func named(_ option: String) throws(GeneratorError) -> ModelDirectory {
    try ModelDirectory(
      path: ShareLocation.model(
        option: option, environment: ProcessInfo.processInfo.environment,
        programFolder: ShareLocation.programFolder()))
  }

  /// The categories that a model was trained on, as its `categories.txt` lists them; nil where there
  /// is no such file.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration`` when the file is no text or too long.
  package func categories() throws(GeneratorError) -> [String]? {
    let file = path + "/categories.txt"
    guard FileManager.default.fileExists(atPath: file) else { return nil }
    let data = try readConfiguration(file)
    guard let text = String(validating: data, as: UTF8.self) else {
      throw GeneratorError(.badConfiguration, "\(file): not UTF-8 text")
    }
    return text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }
  }
}
