import Schema
private import Foundation

/// A data set of PNG images and PNG masks in a folder, with an index of prompts.
package struct FolderReader: DatasetReader {
  private let index: FolderIndex
  private let folder: String

  /// Reads the index of a folder: `prompts`, or `prompts.csv` or `prompts.json` inside it.
  ///
  /// - Throws: ``FormatError/Code/badFile``.
  package init(_ folder: String, prompts: String? = nil) throws(FormatError) {
    var path = prompts ?? ""
    if prompts == nil { path = try Self.standardIndex(folder) }
    let bytes = try DatasetFile.bytes(
      path, maximumBytes: DatasetFile.maximumIndexBytes, .badFile)
    let isJSON = path.lowercased().hasSuffix(".json")
    self.init(
      isJSON
        ? try FolderIndex(json: bytes, name: path) : try FolderIndex(csv: bytes, name: path),
      folder: folder)
  }

  /// A reader with an index that is in memory.
  package init(_ index: FolderIndex, folder: String) {
    self.index = index
    self.folder = folder
  }

  private static func standardIndex(_ folder: String) throws(FormatError) -> String {
    guard FileManager.default.fileExists(atPath: folder + "/.") else {
      throw FormatError(.badFile, "\(folder): no such folder")
    }
    let found = ["prompts.csv", "prompts.json"].map { folder + "/" + $0 }
      .filter { FileManager.default.fileExists(atPath: $0) }
    guard let path = found.first, found.count == 1 else {
      throw FormatError(
        .badFile,
        found.isEmpty
          ? "\(folder): neither prompts.csv nor prompts.json; name the index with --prompts"
          : "\(folder): both prompts.csv and prompts.json; say which with --prompts")
    }
    return path
  }

  package var itemCount: Int { index.entries.count }
  package var problems: [String] { [] }

  package func itemName(_ position: Int) -> String { index.entries[position].file }

  package func item(_ position: Int) throws(FormatError) -> DatasetItem? {
    let entry = index.entries[position]
    if let problem = entry.problem { throw FormatError(.badItem, problem) }
    guard !entry.masks.isEmpty else { return nil }
    let limit = Limits.standard.maximumMasks
    guard entry.masks.count <= limit else {
      throw FormatError(.badItem, "\(entry.masks.count) masks; at most \(limit) of one image")
    }
    let image = try DatasetFile.image(try DatasetFile.path(entry.file, in: folder))
    var counter = InstanceCounter()
    var masks: [(info: MaskInfo, mask: BinaryMask)] = []
    for row in entry.masks {
      let category: CategoryName
      do throws(SchemaError) {
        category = try CategoryName(row.category)
      } catch {
        throw FormatError(.badItem, error.message)
      }
      let mask = try DatasetFile.mask(try DatasetFile.path(row.file, in: folder))
      guard mask.width == image.width, mask.height == image.height else {
        throw FormatError(
          .badItem,
          "the mask '\(row.file.prefix(80))' is \(mask.width)x\(mask.height), its image "
            + "\(image.width)x\(image.height)")
      }
      guard mask.pixelCount > 0 else { continue }
      let info = MaskInfo(
        category: category, instance: counter.number(category, wanted: row.instance),
        source: row.source ?? .import, confidence: row.confidence,
        visibleFraction: row.visibleFraction)
      masks.append((info, mask))
    }
    guard !masks.isEmpty else { return nil }
    return try DatasetItem(name: entry.file, prompt: entry.prompt, image: image, masks: masks)
  }
}
