import Schema
private import Foundation

/// Writes `images/` and `annotations.json`, which pycocotools reads.
///
/// The id of an image is its triplet's, the id of an annotation is `256 · triplet + position`: two
/// exports of one store can be put together. Categories are numbered from 1 by name. Keys that COCO
/// does not have (`prompt`, `source`, `instance`, …) bring back what COCO would lose.
package struct COCOWriter: DatasetWriter {
  private struct Image: Encodable {
    let id: TripletID
    let fileName: String
    let width: Int
    let height: Int
    let prompt: String
  }

  private struct Annotation: Encodable {
    struct Runs: Encodable {
      let counts: String
      let size: [Int]
    }

    let id: Int64
    let imageId: TripletID
    let categoryId: Int
    let segmentation: Runs
    let area: Int
    let bbox: [Int]
    let iscrowd = 0
    let instance: Int
    let source: LabelSource
    let confidence: Double?
    let visibleFraction: Double?
  }

  private struct Category: Encodable {
    let id: Int
    let name: String
    let supercategory = ""
  }

  private let folder: PartialFolder
  private let categories: [CategoryName]
  private let numbers: [CategoryName: Int]
  private let images: GrowingFile
  private let annotations: GrowingFile
  private var imageCount = 0
  private var annotationCount = 0

  init(_ folder: PartialFolder, categories: [CategoryName]) throws(FormatError) {
    self.folder = folder
    self.categories = categories
    numbers = Dictionary(
      categories.enumerated().map { ($1, $0 + 1) }, uniquingKeysWith: { first, _ in first })
    try folder.folder("images")
    images = try GrowingFile(folder.partial + "/annotations.json")
    annotations = try GrowingFile(folder.partial + "/.annotations")
    let heading = "{\"info\":{\"description\":\"exported by groundwell \(Release.version)\"},"
    try images.append((heading + "\"licenses\":[],\"images\":[").utf8)
  }

  package mutating func add(_ triplet: ExportedTriplet) throws(FormatError) {
    let info = triplet.info
    let entries = try zip(info.masks, triplet.masks).enumerated().map {
      position, entry throws(FormatError) in
      try annotation(entry.0, entry.1, triplet: info.triplet, position)
    }
    let name = "\(triplet.stem).png"
    try folder.write(try Picture.bytes(triplet.image), to: "images/\(name)")
    let image = Image(
      id: info.triplet, fileName: name, width: info.width, height: info.height,
      prompt: info.prompt)
    try images.append(imageCount > 0 ? [UInt8(ascii: ","), 0x0A] : [])
    try images.append(try jsonBytes(image))
    imageCount += 1
    for entry in entries {
      try annotations.append(annotationCount > 0 ? [UInt8(ascii: ","), 0x0A] : [])
      try annotations.append(entry)
      annotationCount += 1
    }
  }

  private func annotation(
    _ info: MaskInfo, _ mask: BinaryMask, triplet: TripletID, _ position: Int
  ) throws(FormatError) -> [UInt8] {
    let box = mask.bounds
    let text = RunLengths.text(RunLengths.encode(mask))
    return try jsonBytes(
      Annotation(
        id: triplet * Int64(Limits.standard.maximumMasks) + Int64(position), imageId: triplet,
        categoryId: numbers[info.category] ?? 0,
        segmentation: .init(
          counts: String(decoding: text, as: UTF8.self), size: [mask.height, mask.width]),
        area: mask.pixelCount, bbox: [box.x, box.y, box.width, box.height],
        instance: info.instance, source: info.source, confidence: info.confidence,
        visibleFraction: info.visibleFraction))
  }

  package mutating func finish() throws(FormatError) {
    try annotations.close()
    try images.append("],\"annotations\":[".utf8)
    let path = folder.partial + "/.annotations"
    let part = 1 << 22
    try attempt("cannot be read", path) {
      guard let file = FileHandle(forReadingAtPath: path) else {
        throw CocoaError(.fileReadUnknown)
      }
      while let data = try file.read(upToCount: part), !data.isEmpty { try images.append(data) }
      try file.close()
      try FileManager.default.removeItem(atPath: path)
    }
    let list = categories.enumerated().map { Category(id: $0 + 1, name: $1.text) }
    try images.append("],\"categories\":".utf8)
    try images.append(try jsonBytes(list))
    try images.append("}\n".utf8)
    try images.close()
  }
}

extension BinaryMask {
  /// The smallest box around the object; of no size when there is none.
  var bounds: (x: Int, y: Int, width: Int, height: Int) {
    var (left, right, top, bottom) = (width, -1, height, -1)
    for row in 0..<height {
      for column in 0..<width where values[row * width + column] == 1 {
        left = min(left, column)
        right = max(right, column)
        top = min(top, row)
        bottom = row
      }
    }
    return right < 0 ? (0, 0, 0, 0) : (left, top, right - left + 1, bottom - top + 1)
  }
}
