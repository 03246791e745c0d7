import Foundation
import Imaging
import Schema

/// Writes what was found on a picture: an overlay, a PNG for each mask, and JSON.
struct GroundOutput {
  /// One mask of the answer.
  struct Entry: Encodable {
    let category: String
    let instance: Int?
    let file: String
    let pixelCount: Int
    let confidence: Double
  }

  /// The answer.
  struct Answer: Encodable {
    let image: String
    let width: Int
    let height: Int
    let overlay: String
    let module: String
    let masks: [Entry]
  }

  let folder: String
  let stem: String
  let categories: [String]
  let splitsInstances: Bool
  let minimumPixels: Int

  /// Writes files and gives the answer.
  ///
  /// - Parameter picture: of the masks' size.
  func write(
    _ picture: RGBImage, _ found: ResolvedMasks, image: String, module: String
  ) throws -> Answer {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var entries: [Entry] = []
    var layers: [(mask: BinaryMask, color: RGBColor)] = []
    for (index, category) in categories.enumerated() {
      let mask = found.masks[index]
      let parts = splitsInstances ? mask.components(minimumPixels: minimumPixels) : [mask]
      for (number, part) in parts.enumerated() {
        let suffix = splitsInstances ? "-\(number + 1)" : ""
        let name = category.replacingOccurrences(of: " ", with: "-")
        let file = "\(folder)/\(stem)-\(name)\(suffix).png"
        try PNG.write(part, to: file)
        entries.append(
          Entry(
            category: category, instance: splitsInstances ? number + 1 : nil, file: file,
            pixelCount: part.pixelCount, confidence: found.confidences[index]))
        layers.append((part, Palette.color(index)))
      }
    }
    let overlay = "\(folder)/\(stem)-overlay.png"
    try PNG.write(Overlay.tint(picture, masks: layers, share: 110), to: overlay)
    let answer = Answer(
      image: image, width: picture.width, height: picture.height, overlay: overlay, module: module,
      masks: entries)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    try encoder.encode(answer).write(to: URL(fileURLWithPath: "\(folder)/\(stem).json"))
    return answer
  }

  /// Categories of a command line: names split by commas, each once, in one form.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument``.
  static func categories(_ text: String) throws(GeneratorError) -> [String] {
    var names: [String] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: true) {
      do throws(SchemaError) {
        let name = try CategoryName(String(part)).text
        if !names.contains(name) { names.append(name) }
      } catch {
        throw GeneratorError(.invalidArgument, error.message, cause: error)
      }
    }
    guard !names.isEmpty else {
      throw GeneratorError(
        .invalidArgument, "no categories; name some, such as \"cat, potted plant\"")
    }
    return names
  }
}
