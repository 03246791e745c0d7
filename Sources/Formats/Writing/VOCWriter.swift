package import Imaging
import Schema

/// Writes PASCAL VOC's folders: `SegmentationClass/` and `SegmentationObject/` as PNGs with VOC's
/// palette, `JPEGImages/` (with PNG files inside: nothing is lost), `ImageSets/Segmentation/all.txt`
/// and `labels.txt`.
package struct VOCWriter: DatasetWriter {
  /// The categories of PASCAL VOC in plain English, in the order of their numbers.
  package static let names = [
    "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "dining table", "dog", "horse", "motorcycle", "person", "potted plant", "sheep", "couch",
    "train", "tv",
  ]
  /// The highest number of a category or an object; 255 is what is to be ignored.
  package static let maximumLabel = 254

  private let folder: PartialFolder
  private let labels: [CategoryName: UInt8]
  private let list: GrowingFile

  init(_ folder: PartialFolder, categories: [CategoryName]) throws(FormatError) {
    let isVOC = categories.allSatisfy { Self.names.contains($0.text) }
    let ordered = isVOC ? Self.names : categories.map(\.text)
    guard ordered.count <= Self.maximumLabel else {
      throw FormatError(
        .unwritable,
        "\(ordered.count) categories; a VOC mask numbers at most \(Self.maximumLabel): "
          + "export fewer with --category, or in another format")
    }
    self.folder = folder
    labels = Dictionary(
      categories.map { name in
        (name, UInt8(truncatingIfNeeded: 1 + (ordered.firstIndex(of: name.text) ?? 254)))
      }, uniquingKeysWith: { first, _ in first })
    for name in ["JPEGImages", "SegmentationClass", "SegmentationObject", "ImageSets/Segmentation"]
    {
      try folder.folder(name)
    }
    try folder.write(
      Array((["background"] + ordered).map { $0 + "\n" }.joined().utf8), to: "labels.txt")
    list = try GrowingFile(folder.partial + "/ImageSets/Segmentation/all.txt")
  }

  package mutating func add(_ triplet: ExportedTriplet) throws(FormatError) {
    guard triplet.masks.count <= Self.maximumLabel else {
      throw FormatError(
        .badItem,
        "\(triplet.masks.count) masks; VOC numbers at most \(Self.maximumLabel) objects of an image"
      )
    }
    let (width, height) = (triplet.image.width, triplet.image.height)
    var classes = [UInt8](repeating: 0, count: width * height)
    var objects = classes
    for position in triplet.paintOrder {
      let label = labels[triplet.info.masks[position].category] ?? 255
      for (pixel, value) in triplet.masks[position].values.enumerated() where value == 1 {
        classes[pixel] = label
        objects[pixel] = UInt8(position + 1)
      }
    }
    func indexed(_ values: [UInt8]) throws(FormatError) -> [UInt8] {
      try Picture.encode { () throws(ImagingError) in
        try PNG.encode(indices: values, width: width, height: height, palette: Self.palette)
      }
    }
    let name = "\(triplet.stem).png"
    try folder.write(try indexed(classes), to: "SegmentationClass/\(name)")
    try folder.write(try indexed(objects), to: "SegmentationObject/\(name)")
    try folder.write(try Picture.bytes(triplet.image), to: "JPEGImages/\(name)")
    try list.append("\(triplet.stem)\n".utf8)
  }

  package mutating func finish() throws(FormatError) { try list.close() }

  /// The colours that VOC gives the numbers 0 to 255 (`VOCcode/VOClabelcolormap.m`).
  package static let palette: [RGBColor] = (0..<256).map { number in
    var (red, green, blue) = (0, 0, 0)
    for bit in 0..<8 {
      let three = number >> (3 * bit)
      red |= (three & 1) << (7 - bit)
      green |= (three >> 1 & 1) << (7 - bit)
      blue |= (three >> 2 & 1) << (7 - bit)
    }
    return RGBColor(UInt8(red), UInt8(green), UInt8(blue))
  }
}
