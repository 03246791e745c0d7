import Imaging
package import Schema

/// A triplet on its way out of a store.
package struct ExportedTriplet: Sendable {
  /// What is known of it.
  package let info: TripletInfo
  /// The pixels.
  package let image: RGBImage
  /// The masks, in the order of `info.masks`.
  package let masks: [BinaryMask]

  /// Creates one.
  ///
  /// - Precondition: there is one mask for each of `info.masks`.
  package init(info: TripletInfo, image: RGBImage, masks: [BinaryMask]) {
    precondition(info.masks.count == masks.count, "\(masks.count) masks, \(info.masks.count) told")
    self.info = info
    self.image = image
    self.masks = masks
  }

  /// The name of its files: its number, with zeros in front so that names sort like numbers.
  package var stem: String { Self.stem(info.triplet) }

  private static func stem(_ id: TripletID) -> String {
    let digits = "\(id)"
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  /// Positions of the masks from the largest to the smallest, so that a small object painted later
  /// stays to be seen.
  package var paintOrder: [Int] {
    let counts = masks.map(\.pixelCount)
    return masks.indices.sorted { (counts[$1], $0) < (counts[$0], $1) }
  }
}

/// Writes triplets as one data set, piece by piece.
package protocol DatasetWriter {
  /// Takes one more triplet.
  ///
  /// - Throws: ``FormatError/Code/badItem`` when the format has no room for it; nothing of it is
  ///   written then. ``FormatError/Code/unwritable``.
  mutating func add(_ triplet: ExportedTriplet) throws(FormatError)
  /// Writes what stands behind the last triplet.
  mutating func finish() throws(FormatError)
}

/// The formats that triplets are exported to.
package enum ExportFormat: String, Sendable, CaseIterable {
  /// PNG images and masks with `prompts.csv`; comes back with ``FolderReader``.
  case folder
  /// PNG images and one file of COCO annotations.
  case coco
  /// PASCAL VOC: masks as PNGs with a palette.
  case voc
  /// YOLO segmentation: outlines as text.
  case yolo
  /// WebDataset: tar shards.
  case webdataset

  /// A writer into a folder.
  ///
  /// - Parameter categories: every category that will come, sorted.
  package func writer(
    _ folder: PartialFolder, categories: [CategoryName], shardTriplets: Int
  ) throws(FormatError) -> any DatasetWriter {
    switch self {
    case .folder: try FolderWriter(folder)
    case .coco: try COCOWriter(folder, categories: categories)
    case .voc: try VOCWriter(folder, categories: categories)
    case .yolo: try YOLOWriter(folder, categories: categories)
    case .webdataset: try WebDatasetWriter(folder, shardTriplets: shardTriplets)
    }
  }
}

/// Encodes pictures with this module's errors.
enum Picture {
  static func bytes(_ image: RGBImage) throws(FormatError) -> [UInt8] {
    try encode { () throws(ImagingError) in try PNG.encode(image) }
  }

  static func bytes(_ mask: BinaryMask) throws(FormatError) -> [UInt8] {
    try encode { () throws(ImagingError) in try PNG.encode(mask) }
  }

  static func encode(
    _ encode: () throws(ImagingError) -> [UInt8]
  ) throws(FormatError) -> [UInt8] {
    do throws(ImagingError) {
      return try encode()
    } catch {
      throw FormatError(.badItem, error.message)
    }
  }
}

/// Writes JSON with this module's errors, keys as they are spelled.
func jsonBytes(_ value: some Encodable) throws(FormatError) -> [UInt8] {
  do throws(SchemaError) {
    return try JSONText.encode(value)
  } catch {
    throw FormatError(.badItem, error.message)
  }
}
