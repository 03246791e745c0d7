package import Schema

/// What a COCO file of annotations says, without its outlines: those stay in the file's bytes until
/// their image is read.
package struct COCOIndex: Sendable {
  /// One image.
  package struct Image: Sendable, Equatable {
    package var id = 0
    package var fileName = ""
    package var width = 0
    package var height = 0
    /// The text that goes with it; ours, not COCO's.
    package var prompt = ""
  }

  /// One object.
  package struct Annotation: Sendable, Equatable {
    package var id = 0
    package var image = 0
    package var category = 0
    package var isCrowd = false
    /// Where its segmentation begins in the file; 0 when it has none.
    package var segmentation = 0
    /// Facts of ours that COCO does not have.
    package var instance: Int?
    package var source: LabelSource?
    package var confidence: Double?
    package var visibleFraction: Double?
  }

  /// Entries of each kind that are read at most.
  package static let maximumEntries = 20_000_000

  /// The images, in the order of their ids, none twice.
  package private(set) var images: [Image] = []
  /// The objects, by image, each list in the file's order.
  package private(set) var annotations: [Int: [Annotation]] = [:]
  /// The names of the categories, or why one is no name.
  package private(set) var categories: [Int: Result<CategoryName, SchemaError>] = [:]
  /// What is wrong with the file besides its outlines, one sentence each.
  package private(set) var problems: [String] = []

  private var list: [Annotation] = []

  /// Reads a file's index.
  ///
  /// - Throws: ``FormatError/Code/badFile`` when it is no JSON of COCO's form.
  package init(_ bytes: [UInt8], name: String) throws(FormatError) {
    var reader = JSONReader(bytes, name: name)
    guard reader.peek() == UInt8(ascii: "{") else {
      throw FormatError(
        .badFile, "\(name): no COCO file; expected JSON with 'images', 'annotations', 'categories'")
    }
    var found = Set<String>()
    try reader.object { (key, reader) throws(FormatError) in
      found.insert(key)
      switch key {
      case "images":
        try reader.array { (index, reader) throws(FormatError) in
          try Self.check(index, name)
          images.append(try Image(&reader))
        }
      case "annotations":
        try reader.array { (index, reader) throws(FormatError) in
          try Self.check(index, name)
          list.append(try Annotation(&reader))
        }
      case "categories":
        try reader.array { (index, reader) throws(FormatError) in
          try Self.check(index, name)
          try addCategory(&reader, name)
        }
      default: try reader.skip()
      }
    }
    try reader.end()
    for key in ["images", "annotations", "categories"] where !found.contains(key) {
      throw FormatError(
        .badFile, "\(name): no COCO file of instances; it has no '\(key)'")
    }
    removeDoubles()
    join()
  }

  private static func check(_ index: Int, _ name: String) throws(FormatError) {
    guard index < maximumEntries else {
      throw FormatError(.badFile, "\(name): more than \(maximumEntries) entries of one kind")
    }
  }

  private mutating func addCategory(
    _ reader: inout JSONReader, _ file: String
  ) throws(FormatError) {
    var id: Int?
    var name: String?
    try reader.object { (key, reader) throws(FormatError) in
      switch key {
      case "id": id = try reader.integer()
      case "name": name = try reader.text()
      default: try reader.skip()
      }
    }
    guard let id, let name else { throw reader.broken("a category without 'id' or 'name'") }
    guard categories[id] == nil else {
      throw FormatError(
        .badFile, "\(file): two categories have the id \(id); which one is meant is unknown")
    }
    do throws(SchemaError) {
      // LVIS writes its names with underscores.
      categories[id] = .success(try CategoryName(name.map { $0 == "_" ? " " : "\($0)" }.joined()))
    } catch {
      categories[id] = .failure(error)
    }
  }

  private mutating func removeDoubles() {
    images = Self.unique(images, \.id) { double in
      problems.append(
        "image \(double.id) is there twice; the second ('\(double.fileName.prefix(80))') is left out"
      )
    }
    images.sort { $0.id < $1.id }
    var names = Set<String>()
    images.removeAll { image in
      guard names.insert(image.fileName).inserted else {
        problems.append(
          "two images have the file '\(image.fileName.prefix(80))'; image \(image.id) is left out")
        return true
      }
      return false
    }
    list = Self.unique(list, \.id) { double in
      problems.append(
        "annotation \(double.id) is there twice; the second (of image \(double.image)) is left out")
    }
  }

  private mutating func join() {
    let known = Set(images.map(\.id))
    for annotation in list {
      guard known.contains(annotation.image) else {
        problems.append(
          "annotation \(annotation.id) is of image \(annotation.image), which the file does not have"
        )
        continue
      }
      annotations[annotation.image, default: []].append(annotation)
    }
    list = []
  }

  private static func unique<Element>(
    _ elements: [Element], _ id: KeyPath<Element, Int>, _ report: (Element) -> Void
  ) -> [Element] {
    var seen = Set<Int>()
    return elements.filter { element in
      let isNew = seen.insert(element[keyPath: id]).inserted
      if !isNew { report(element) }
      return isNew
    }
  }
}

extension COCOIndex.Image {
  fileprivate init(_ reader: inout JSONReader) throws(FormatError) {
    self.init()
    var seen = Set<String>()
    var image = self
    try reader.object { (key, reader) throws(FormatError) in
      seen.insert(key)
      switch key {
      case "id": image.id = try reader.integer()
      case "file_name": image.fileName = try reader.text()
      case "width": image.width = try reader.integer()
      case "height": image.height = try reader.integer()
      case "prompt": image.prompt = try reader.isNull() ? "" : try reader.text()
      default: try reader.skip()
      }
    }
    for key in ["id", "file_name", "width", "height"] where !seen.contains(key) {
      throw reader.broken("an image without '\(key)' ends")
    }
    self = image
  }
}

extension COCOIndex.Annotation {
  fileprivate init(_ reader: inout JSONReader) throws(FormatError) {
    self.init()
    var seen = Set<String>()
    var entry = self
    try reader.object { (key, reader) throws(FormatError) in
      seen.insert(key)
      switch key {
      case "id": entry.id = try reader.integer()
      case "image_id": entry.image = try reader.integer()
      case "category_id": entry.category = try reader.integer()
      case "iscrowd": entry.isCrowd = try reader.isNull() ? false : try reader.flag()
      case "segmentation":
        _ = reader.peek()
        let start = reader.position
        if try !reader.isNull() {
          entry.segmentation = start
          try reader.skip()
        }
      case "instance": entry.instance = try reader.isNull() ? nil : try reader.integer()
      case "source" where reader.peek() == UInt8(ascii: "\""):
        entry.source = LabelSource(rawValue: try reader.text())
      case "confidence": entry.confidence = try reader.isNull() ? nil : try reader.number()
      case "visible_fraction":
        entry.visibleFraction = try reader.isNull() ? nil : try reader.number()
      default: try reader.skip()
      }
    }
    for key in ["id", "image_id", "category_id"] where !seen.contains(key) {
      throw reader.broken("an annotation without '\(key)' ends")
    }
    self = entry
  }
}
