package import Schema

/// A data set of one COCO file and a folder of PNG images.
package struct COCOReader: DatasetReader {
  /// What becomes of regions that hold a crowd of objects.
  package enum Crowd: String, Sendable, CaseIterable {
    /// A mask like any other.
    case keep
    /// Left out.
    case drop
  }

  private let bytes: [UInt8]
  private let index: COCOIndex
  private let folder: String
  private let crowd: Crowd
  private let captions: [Int: String]

  /// Reads the index of the file `path` with its images in `folder`, and prompts from a COCO file
  /// of captions, if there is one.
  ///
  /// - Throws: ``FormatError/Code/badFile``.
  package init(
    _ path: String, images folder: String, captions: String? = nil, crowd: Crowd = .keep
  ) throws(FormatError) {
    let bytes = try DatasetFile.bytes(
      path, maximumBytes: DatasetFile.maximumIndexBytes, .badFile)
    var texts: [Int: String] = [:]
    if let captions {
      texts = try COCOCaptions.read(
        try DatasetFile.bytes(captions, maximumBytes: DatasetFile.maximumIndexBytes, .badFile),
        name: captions)
    }
    self.init(
      bytes, try COCOIndex(bytes, name: path), images: folder, captions: texts, crowd: crowd)
  }

  /// A reader of a file that is in memory.
  package init(
    _ bytes: [UInt8], _ index: COCOIndex, images folder: String, captions: [Int: String] = [:],
    crowd: Crowd = .keep
  ) {
    self.bytes = bytes
    self.index = index
    self.folder = folder
    self.captions = captions
    self.crowd = crowd
  }

  package var itemCount: Int { index.images.count }
  package var problems: [String] { index.problems }

  package func itemName(_ index: Int) -> String { self.index.images[index].fileName }

  package func item(_ position: Int) throws(FormatError) -> DatasetItem? {
    let entry = index.images[position]
    let masks = try masks(position)
    guard !masks.isEmpty else { return nil }
    let image = try DatasetFile.image(try DatasetFile.path(entry.fileName, in: folder))
    guard image.width == entry.width, image.height == entry.height else {
      throw FormatError(
        .badItem,
        "the picture is \(image.width)x\(image.height), the file of annotations says "
          + "\(entry.width)x\(entry.height)")
    }
    return try DatasetItem(
      name: entry.fileName, prompt: captions[entry.id] ?? entry.prompt, image: image, masks: masks)
  }

  /// The masks of an image, empty ones left out.
  ///
  /// - Throws: ``FormatError/Code/badItem`` naming the annotation that is broken.
  package func masks(
    _ position: Int
  ) throws(FormatError) -> [(info: MaskInfo, mask: BinaryMask)] {
    let image = index.images[position]
    let limits = Limits.standard
    let sides = limits.minimumImageSide...limits.maximumImageSide
    let entries = (index.annotations[image.id] ?? []).filter { crowd == .keep || !$0.isCrowd }
    guard !entries.isEmpty else { return [] }
    guard sides.contains(image.width), sides.contains(image.height) else {
      throw FormatError(
        .badItem,
        "image \(image.id) is said to be \(image.width)x\(image.height) pixels; each side must be "
          + "\(sides.lowerBound) to \(sides.upperBound)")
    }
    guard entries.count <= limits.maximumMasks else {
      throw FormatError(
        .badItem, "\(entries.count) annotations; at most \(limits.maximumMasks) of one image")
    }
    var counter = InstanceCounter()
    var masks: [(info: MaskInfo, mask: BinaryMask)] = []
    for entry in entries {
      do throws(FormatError) {
        let category = try category(of: entry)
        let mask = try mask(entry, image)
        guard mask.pixelCount > 0 else { continue }
        let info = MaskInfo(
          category: category, instance: counter.number(category, wanted: entry.instance),
          source: entry.source ?? .import, confidence: entry.confidence,
          visibleFraction: entry.visibleFraction)
        masks.append((info, mask))
      } catch {
        throw FormatError(.badItem, "annotation \(entry.id): \(error.message)")
      }
    }
    return masks
  }

  private func category(of entry: COCOIndex.Annotation) throws(FormatError) -> CategoryName {
    switch index.categories[entry.category] {
    case .success(let name): return name
    case .failure(let error): throw FormatError(.badItem, error.message)
    case nil:
      throw FormatError(.badItem, "category \(entry.category), which the file does not have")
    }
  }

  private func mask(
    _ entry: COCOIndex.Annotation, _ image: COCOIndex.Image
  ) throws(FormatError) -> BinaryMask {
    guard entry.segmentation > 0 else {
      throw FormatError(.badItem, "no segmentation; only outlines and runs give masks")
    }
    var reader = JSONReader(bytes, name: "segmentation", at: entry.segmentation)
    if reader.peek() == UInt8(ascii: "[") {
      return try polygons(&reader, width: image.width, height: image.height)
    }
    return try runs(&reader, width: image.width, height: image.height)
  }

  private func polygons(
    _ reader: inout JSONReader, width: Int, height: Int
  ) throws(FormatError) -> BinaryMask {
    var values = [UInt8](repeating: 0, count: width * height)
    var steps = PolygonRaster.maximumSteps
    var count = 0
    try reader.array { (_, reader) throws(FormatError) in
      var coordinates: [Double] = []
      try reader.array { (_, reader) throws(FormatError) in
        coordinates.append(try reader.number())
        guard coordinates.count <= 2 * PolygonRaster.maximumSteps else {
          throw FormatError(.badItem, "a polygon of too many points")
        }
      }
      try PolygonRaster.fill(
        coordinates, into: &values, width: width, height: height, steps: &steps)
      count += 1
    }
    guard count > 0 else {
      throw FormatError(.badItem, "an empty segmentation; only outlines and runs give masks")
    }
    return BinaryMask(width: width, height: height, values: values)
  }

  private func runs(
    _ reader: inout JSONReader, width: Int, height: Int
  ) throws(FormatError) -> BinaryMask {
    var size: [Int] = []
    var counts: [Int]?
    let maximum = width * height + 1
    try reader.object { (key, reader) throws(FormatError) in
      switch key {
      case "size":
        try reader.array { (_, reader) throws(FormatError) in
          let side = try reader.integer()
          if size.count < 3 { size.append(side) }
        }
      case "counts" where reader.peek() == UInt8(ascii: "["):
        var list: [Int] = []
        try reader.array { (_, reader) throws(FormatError) in
          list.append(try reader.integer())
          guard list.count <= maximum else {
            throw FormatError(.badItem, "more runs than the image has pixels")
          }
        }
        counts = list
      case "counts": counts = try RunLengths.runs(try reader.textBytes(), maximum: maximum)
      default: try reader.skip()
      }
    }
    guard size == [height, width] else {
      throw FormatError(
        .badItem, "runs for a mask of \(size), the image is [\(height), \(width)]")
    }
    guard let counts else { throw FormatError(.badItem, "runs without 'counts'") }
    return try RunLengths.decode(counts, width: width, height: height)
  }
}

/// A COCO file of captions.
package enum COCOCaptions {
  /// The first caption of each image, by the image's id.
  ///
  /// - Throws: ``FormatError/Code/badFile``.
  package static func read(_ bytes: [UInt8], name: String) throws(FormatError) -> [Int: String] {
    var first: [Int: (id: Int, text: String)] = [:]
    var reader = JSONReader(bytes, name: name)
    try reader.object { (key, reader) throws(FormatError) in
      guard key == "annotations" else { return try reader.skip() }
      try reader.array { (_, reader) throws(FormatError) in
        var (id, image, caption): (Int?, Int?, String?) = (nil, nil, nil)
        try reader.object { (key, reader) throws(FormatError) in
          switch key {
          case "id": id = try reader.integer()
          case "image_id": image = try reader.integer()
          case "caption": caption = try reader.text()
          default: try reader.skip()
          }
        }
        guard let id, let image, let caption else {
          throw reader.broken("a caption without 'id', 'image_id' or 'caption' ends")
        }
        if let known = first[image], known.id <= id { return }
        first[image] = (id, caption.split(whereSeparator: \.isWhitespace).joined(separator: " "))
      }
    }
    try reader.end()
    return first.mapValues(\.text)
  }
}
