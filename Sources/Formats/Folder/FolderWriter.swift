import Schema

/// Writes `images/`, `masks/` and `prompts.csv`.
package struct FolderWriter: DatasetWriter {
  private let folder: PartialFolder
  private let index: GrowingFile

  init(_ folder: PartialFolder) throws(FormatError) {
    self.folder = folder
    try folder.folder("images")
    try folder.folder("masks")
    index = try GrowingFile(folder.partial + "/prompts.csv")
    try index.append((FolderIndex.columns.joined(separator: ",") + "\n").utf8)
  }

  package mutating func add(_ triplet: ExportedTriplet) throws(FormatError) {
    let image = "images/\(triplet.stem).png"
    try folder.write(try Picture.bytes(triplet.image), to: image)
    for (position, (info, mask)) in zip(triplet.info.masks, triplet.masks).enumerated() {
      let file = "masks/\(triplet.stem)-\(position).png"
      try folder.write(try Picture.bytes(mask), to: file)
      let fields = [
        image, file, info.category.text, position == 0 ? triplet.info.prompt : "",
        "\(info.instance)", info.source.rawValue, info.confidence.map { "\($0)" } ?? "",
        info.visibleFraction.map { "\($0)" } ?? "",
      ]
      try index.append((fields.map(Self.quoted).joined(separator: ",") + "\n").utf8)
    }
  }

  package mutating func finish() throws(FormatError) { try index.close() }

  private static func quoted(_ field: String) -> String {
    guard field.contains(where: { ",\"\n\r\r\n".contains($0) }) else { return field }
    return "\"" + field.replacing("\"", with: "\"\"") + "\""
  }
}
