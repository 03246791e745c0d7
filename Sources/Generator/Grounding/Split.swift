package import Foundation
package import Schema

/// A named partition of categories into those a module had masks of and those it never saw.
package struct Split: Sendable, Equatable {
  /// At most this many categories.
  package static let maximumCategories = 1024

  /// Its name, such as `pascal-1`.
  package let name: String
  /// Categories that are trained on.
  package let seen: [CategoryName]
  /// Categories that are held out.
  package let unseen: [CategoryName]
  /// Where it comes from, and what was changed.
  package let note: String

  private struct Published: Decodable {
    let name: String
    let seen: [String]
    let unseen: [String]
    let note: String
  }

  /// Reads a split: `{"name", "seen", "unseen", "note"}`.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration`` when the JSON has another form, a list is
  ///   empty, a name is not written in its one form, or a category is there twice.
  package init(json: Data, file: String) throws(GeneratorError) {
    let published = try decodeConfiguration(Published.self, json, file: file)
    func names(_ texts: [String]) throws(GeneratorError) -> [CategoryName] {
      try texts.map { text throws(GeneratorError) in
        do throws(SchemaError) {
          let name = try CategoryName(text)
          if name.text == text { return name }
        } catch {
          throw GeneratorError(.badConfiguration, "\(file): \(error.message)")
        }
        throw GeneratorError(
          .badConfiguration, "\(file): '\(text.prefix(80))' is not written in its one form")
      }
    }
    (name, note) = (published.name, published.note)
    (seen, unseen) = (try names(published.seen), try names(published.unseen))
    let all = seen + unseen
    guard !seen.isEmpty, !unseen.isEmpty, all.count <= Self.maximumCategories else {
      throw GeneratorError(
        .badConfiguration,
        "\(file): \(seen.count) seen and \(unseen.count) unseen categories; expected at least one "
          + "of each and at most \(Self.maximumCategories)")
    }
    var met: Set<CategoryName> = []
    if let twice = all.first(where: { !met.insert($0).inserted }) {
      throw GeneratorError(.badConfiguration, "\(file): '\(twice)' is there twice")
    }
  }

  /// Reads the split of a name in `folder`, or the file that `option` names.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration`` with the names there are.
  package static func named(_ option: String, folder: String) throws(GeneratorError) -> Split {
    if option.hasSuffix(".json") {
      return try Split(json: readConfiguration(option), file: option)
    }
    let names = names(in: folder)
    guard names.contains(option) else {
      throw GeneratorError(
        .badConfiguration,
        "no split '\(option.prefix(80))' in \(folder); there are \(names.joined(separator: ", ")); "
          + "or name a file that ends in .json")
    }
    let file = "\(folder)/\(option).json"
    return try Split(json: readConfiguration(file), file: file)
  }

  /// The names of the splits in a folder.
  package static func names(in folder: String) -> [String] {
    let files: [String]
    do {
      files = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      return []
    }
    return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
  }
}
