package import Schema

/// The index of a folder of PNG pairs: which mask belongs to which image, what it shows, and the
/// prompts.
///
/// As CSV one row for each mask, with a heading that names the columns: `image`, `mask`, `category`
/// and, where there is something to say, `prompt`, `instance`, `source`, `confidence`,
/// `visible_fraction`. As JSON a list of `{"image", "prompt", "masks": [{"mask", "category", …}]}`.
package struct FolderIndex: Sendable {
  /// One mask of an image.
  package struct Mask: Sendable, Equatable {
    package var file = ""
    package var category = ""
    package var instance: Int?
    package var source: LabelSource?
    package var confidence: Double?
    package var visibleFraction: Double?
  }

  /// One image.
  package struct Entry: Sendable, Equatable {
    package var file = ""
    package var prompt = ""
    package var masks: [Mask] = []
    /// What is wrong with it, when something is.
    package var problem: String?
  }

  /// Images that are read at most.
  package static let maximumEntries = 20_000_000
  /// The columns of a CSV.
  package static let columns = [
    "image", "mask", "category", "prompt", "instance", "source", "confidence", "visible_fraction",
  ]

  /// The images, in the order in which they first appear.
  package private(set) var entries: [Entry] = []
  private var positions: [String: Int] = [:]

  /// Reads a CSV.
  ///
  /// - Throws: ``FormatError/Code/badFile``.
  package init(csv bytes: [UInt8], name: String) throws(FormatError) {
    var reader = CSVReader(bytes, name: name)
    guard let heading = try reader.next() else {
      throw FormatError(.badFile, "\(name): an empty file; expected a row of column names")
    }
    let columns = heading.map { $0.lowercased() }
    for column in ["image", "mask", "category"] where !columns.contains(column) {
      throw reader.broken(
        "no column '\(column)'; expected a heading of \(Self.columns.joined(separator: ", "))")
    }
    guard Set(columns).count == columns.count else {
      throw reader.broken("a column is there twice")
    }
    while let row = try reader.next() {
      guard row.count == columns.count else {
        throw reader.broken("\(row.count) fields; the heading has \(columns.count)")
      }
      try add(Dictionary(uniqueKeysWithValues: zip(columns, row)), reader)
    }
  }

  private mutating func add(_ row: [String: String], _ reader: CSVReader) throws(FormatError) {
    func number(_ column: String) throws(FormatError) -> Double? {
      guard let text = row[column], !text.isEmpty else { return nil }
      guard let value = Double(text), value.isFinite, abs(value) < 0x1p53 else {
        throw reader.broken("\(column) is '\(text.prefix(40))'; expected a number")
      }
      return value
    }
    var mask = Mask(file: row["mask"] ?? "", category: row["category"] ?? "")
    if let instance = try number("instance") {
      guard instance == instance.rounded() else {
        throw reader.broken("instance is \(instance); expected a whole number")
      }
      mask.instance = Int(instance)
    }
    mask.confidence = try number("confidence")
    mask.visibleFraction = try number("visible_fraction")
    if let text = row["source"], !text.isEmpty {
      guard let source = LabelSource(rawValue: text) else {
        throw reader.broken(
          "source is '\(text.prefix(40))'; expected one of "
            + LabelSource.allCases.map(\.rawValue).joined(separator: ", "))
      }
      mask.source = source
    }
    try add(image: row["image"] ?? "", prompt: row["prompt"] ?? "", [mask], line: reader.line)
  }

  private mutating func add(
    image: String, prompt: String, _ masks: [Mask], line: Int
  ) throws(FormatError) {
    let position = positions[image] ?? entries.count
    if position == entries.count {
      guard position < Self.maximumEntries else {
        throw FormatError(.badFile, "more than \(Self.maximumEntries) images in one index")
      }
      positions[image] = position
      entries.append(Entry(file: image))
    }
    if !prompt.isEmpty, prompt != entries[position].prompt {
      if entries[position].prompt.isEmpty {
        entries[position].prompt = prompt
      } else {
        entries[position].problem = "two prompts for one image; the second is on line \(line)"
      }
    }
    entries[position].masks += masks
  }

  /// Reads JSON.
  ///
  /// - Throws: ``FormatError/Code/badFile``.
  package init(json bytes: [UInt8], name: String) throws(FormatError) {
    var reader = JSONReader(bytes, name: name)
    try reader.array { (index, reader) throws(FormatError) in
      var (image, prompt, masks): (String?, String, [Mask]?) = (nil, "", nil)
      try reader.object { (key, reader) throws(FormatError) in
        switch key {
        case "image": image = try reader.text()
        case "prompt": prompt = try reader.isNull() ? "" : try reader.text()
        case "masks":
          var list: [Mask] = []
          try reader.array { (_, reader) throws(FormatError) in list.append(try Mask(&reader)) }
          masks = list
        default: try reader.skip()
        }
      }
      guard let image, let masks else {
        throw reader.broken("entry \(index) has no 'image' or no 'masks'; it ends")
      }
      guard positions[image] == nil else {
        return entries[positions[image] ?? 0].problem = "the image is there twice"
      }
      try add(image: image, prompt: prompt, masks, line: index)
    }
    try reader.end()
  }
}

extension FolderIndex.Mask {
  fileprivate init(_ reader: inout JSONReader) throws(FormatError) {
    self.init()
    var mask = self
    var seen = Set<String>()
    try reader.object { (key, reader) throws(FormatError) in
      seen.insert(key)
      switch key {
      case "mask": mask.file = try reader.text()
      case "category": mask.category = try reader.text()
      case "instance": mask.instance = try reader.isNull() ? nil : try reader.integer()
      case "source":
        guard try !reader.isNull() else { return }
        let text = try reader.text()
        guard let source = LabelSource(rawValue: text) else {
          throw reader.broken("the label source '\(text.prefix(40))' is unknown")
        }
        mask.source = source
      case "confidence": mask.confidence = try reader.isNull() ? nil : try reader.number()
      case "visible_fraction":
        mask.visibleFraction = try reader.isNull() ? nil : try reader.number()
      default: try reader.skip()
      }
    }
    guard seen.contains("mask"), seen.contains("category") else {
      throw reader.broken("a mask without 'mask' or 'category' ends")
    }
    self = mask
  }
}
