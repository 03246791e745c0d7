import Schema

/// Writes YOLO segmentation: `images/`, `labels/` with one line for each object (its category's
/// number from 0, then x and y of its outline as parts of the image's sides), and `data.yaml`.
package struct YOLOWriter: DatasetWriter {
  private let folder: PartialFolder
  private let numbers: [CategoryName: Int]

  init(_ folder: PartialFolder, categories: [CategoryName]) throws(FormatError) {
    self.folder = folder
    numbers = Dictionary(
      categories.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    try folder.folder("images")
    try folder.folder("labels")
    var yaml = "# Written by groundwell \(Release.version).\ntrain: images\nval: images\nnames:\n"
    for (number, name) in categories.enumerated() {
      yaml += "  \(number): \"\(name.text)\"\n"
    }
    try folder.write(Array(yaml.utf8), to: "data.yaml")
  }

  package mutating func add(_ triplet: ExportedTriplet) throws(FormatError) {
    var text = ""
    for (info, mask) in zip(triplet.info.masks, triplet.masks) {
      text += "\(numbers[info.category] ?? 0)"
      for corner in Outline.corners(mask) {
        text +=
          " " + Self.part(corner.x, of: mask.width) + " " + Self.part(corner.y, of: mask.height)
      }
      text += "\n"
    }
    try folder.write(try Picture.bytes(triplet.image), to: "images/\(triplet.stem).png")
    try folder.write(Array(text.utf8), to: "labels/\(triplet.stem).txt")
  }

  package mutating func finish() throws(FormatError) {}

  /// `value / side` with seven decimals, which tells corners of any image apart.
  private static func part(_ value: Int, of side: Int) -> String {
    let scaled = (value * 10_000_000 + side / 2) / side
    guard scaled < 10_000_000 else { return "1" }
    guard scaled > 0 else { return "0" }
    var digits = "\(scaled)"
    digits = String(repeating: "0", count: 7 - digits.count) + digits
    while digits.hasSuffix("0") { digits.removeLast() }
    return "0." + digits
  }
}
