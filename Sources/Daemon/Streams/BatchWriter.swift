import Schema
import Store

/// One item of a batch, as it is drawn.
struct BatchItem: Sendable {
  /// What the store knows of its triplet.
  let facts: TripletFacts
  /// Position in the stream of the category that it was drawn for.
  let category: Int
  /// The chance of this draw.
  let probability: Float
  /// Which part of the image it shows.
  let part: Augmentation

  /// The same item, whose triplet was looked up again.
  func at(_ facts: TripletFacts) -> BatchItem {
    BatchItem(facts: facts, category: category, probability: probability, part: part)
  }
}

/// Writes the body of one batch; `BatchGet` describes its tensors.
///
/// The same stream and the same triplets give the same bytes, whatever was in the memory before:
/// every byte is written. Items write to places of their own, so several threads may write at once.
struct BatchWriter: Sendable {
  private let format: BatchFormat
  private let side: Int
  private let items: [BatchItem]
  private let labels: [Int64: UInt16]
  /// The catalog's row of each category of the stream.
  private let rows: [Int64?]
  let layout: BatchLayout
  /// Where the tensors of pixels lie; looked up once, not for each item.
  private let places:
    (image: Range<Int>?, labels: Range<Int>?, target: Range<Int>?, instances: Range<Int>?)

  /// A writer of one batch.
  ///
  /// - Parameter rows: the catalog's rows of the stream's categories.
  init(_ format: BatchFormat, side: Int, rows: [Int64?], items: [BatchItem]) {
    self.format = format
    self.side = side
    self.items = items
    self.rows = rows
    var labels: [Int64: UInt16] = [:]
    for (index, row) in rows.enumerated() {
      if let row { labels[row] = UInt16(index + 1) }
    }
    self.labels = labels
    layout = BatchLayout(format, side: side, maskCounts: items.map(\.facts.maskCount))
    let tensors = layout.body.tensors
    places = (
      tensors["image"]?.range, tensors["labels"]?.range, tensors["target"]?.range,
      tensors["instances"]?.range
    )
  }

  /// A writer of the same batch, whose triplets lie elsewhere.
  func writing(_ items: [BatchItem]) -> BatchWriter {
    BatchWriter(format, side: side, rows: rows, items: items)
  }

  /// Items of the batch.
  var count: Int { items.count }

  /// Writes everything but pixels: the header, what fills gaps, numbers and ids.
  @unsafe func writeFacts(into bytes: UnsafeMutableRawBufferPointer) {
    // Safe: the plan's ranges lie inside the memory, which has the plan's bytes.
    var end = layout.body.header.count
    unsafe bytes.copyBytes(from: layout.body.header)
    for range in layout.body.tensors.values.map(\.range).sorted(by: {
      $0.lowerBound < $1.lowerBound
    }) {
      for index in end..<range.lowerBound { unsafe bytes[index] = 0 }
      end = range.upperBound
    }
    unsafe put("category", items.map { Int32($0.category).littleEndian }, bytes)
    unsafe put("triplet", items.map { $0.facts.triplet.littleEndian }, bytes)
    unsafe put("probability", items.map { $0.probability.bitPattern.littleEndian }, bytes)
    unsafe put("instance_offset", layout.instanceOffsets.map { Int64($0).littleEndian }, bytes)
    guard !layout.instanceOffsets.isEmpty else { return }
    let objects = items.flatMap { item in
      (0..<item.facts.maskCount).map { label(item.facts, $0).littleEndian }
    }
    unsafe put("instance_label", objects, bytes)
  }

  private func put<Number>(
    _ name: String, _ numbers: [Number], _ bytes: UnsafeMutableRawBufferPointer
  ) {
    guard let range = layout.body.tensors[name]?.range else { return }
    unsafe numbers.withUnsafeBytes { source in
      unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[range]).copyMemory(from: source)
    }
  }

  /// Reads, checks and decodes one item into its place.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when its bytes are damaged.
  @unsafe func write(
    _ index: Int, with tools: ItemTools, into bytes: UnsafeMutableRawBufferPointer
  ) throws(StoreError) {
    let item = items[index]
    let (width, height) = (item.facts.width, item.facts.height)
    let isDirect =
      width == side && height == side && item.part == Augmentation(whole: width, height)
    let order: TripletReader.PixelOrder =
      isDirect && format.layout == .nchw ? .planar : .interleaved
    try tools.load(item.facts, order: places.image == nil ? nil : order)
    if isDirect {
      try unsafe writeDirectly(index, item, tools, bytes)
    } else {
      try unsafe writeResized(index, item, tools, bytes)
    }
  }

  private func writeDirectly(
    _ index: Int, _ item: BatchItem, _ tools: ItemTools, _ bytes: UnsafeMutableRawBufferPointer
  ) throws(StoreError) {
    let reader = tools.reader
    if let image = unsafe place(places.image, index, 3 * side * side, bytes) {
      try unsafe reader.decodeImage(
        into: image, order: format.layout == .nchw ? .planar : .interleaved)
    }
    if let labels = unsafe place(places.labels, index, 2 * side * side, bytes) {
      try unsafe paint(item.facts, labels.bindMemory(to: UInt16.self), reader)
    }
    if let target = unsafe place(places.target, index, side * side, bytes) {
      try unsafe fillTarget(item, target.bindMemory(to: UInt8.self), tools)
    }
    for (number, object) in objects(index).enumerated() {
      if let mask = unsafe place(places.instances, object, side * side, bytes) {
        try unsafe reader.fillMask(number, into: mask.bindMemory(to: UInt8.self))
      }
    }
  }

  private func writeResized(
    _ index: Int, _ item: BatchItem, _ tools: ItemTools, _ bytes: UnsafeMutableRawBufferPointer
  ) throws(StoreError) {
    let (reader, facts) = (tools.reader, item.facts)
    let pixels = facts.width * facts.height
    let window = ItemWindow(
      part: item.part, sourceWidth: facts.width, side: side, filter: format.resize)
    if let image = unsafe place(places.image, index, 3 * side * side, bytes) {
      let source = unsafe tools.pixels(3 * pixels)
      try unsafe reader.decodeImage(into: source, order: .interleaved)
      unsafe window.resize(
        UnsafeRawBufferPointer(source), into: image, isPlanar: format.layout == .nchw)
    }
    if let labels = unsafe place(places.labels, index, 2 * side * side, bytes) {
      let source = unsafe tools.labels(pixels)
      try unsafe paint(facts, source, reader)
      unsafe window.nearest(
        UnsafeBufferPointer(source), into: labels.bindMemory(to: UInt16.self))
    }
    if let target = unsafe place(places.target, index, side * side, bytes) {
      let source = unsafe tools.mask(pixels)
      try unsafe fillTarget(item, source, tools)
      unsafe window.nearest(UnsafeBufferPointer(source), into: target.bindMemory(to: UInt8.self))
    }
    for (number, object) in objects(index).enumerated() {
      if let mask = unsafe place(places.instances, object, side * side, bytes) {
        let source = unsafe tools.mask(pixels)
        try unsafe reader.fillMask(number, into: source)
        unsafe window.nearest(UnsafeBufferPointer(source), into: mask.bindMemory(to: UInt8.self))
      }
    }
  }

  /// 0 background, position + 1 of the stream's categories, 65535 for others; later masks win.
  private func paint(
    _ facts: TripletFacts, _ labels: UnsafeMutableBufferPointer<UInt16>, _ reader: TripletReader
  ) throws(StoreError) {
    unsafe labels.update(repeating: 0)
    for index in 0..<facts.maskCount {
      try unsafe reader.paintMask(index, value: label(facts, index).littleEndian, into: labels)
    }
  }

  /// All objects of the category that the item was drawn for, as one mask.
  private func fillTarget(
    _ item: BatchItem, _ target: UnsafeMutableBufferPointer<UInt8>, _ tools: ItemTools
  ) throws(StoreError) {
    let row = rows[item.category]
    let masks = (0..<item.facts.maskCount).filter { item.facts.category(ofMask: $0) == row }
    guard let first = masks.first else { return unsafe target.update(repeating: 0) }
    try unsafe tools.reader.fillMask(first, into: target)
    for index in masks.dropFirst() {
      let other = unsafe tools.secondMask(target.count)
      try unsafe tools.reader.fillMask(index, into: other)
      for pixel in 0..<target.count { unsafe target[pixel] |= other[pixel] }
    }
  }

  private func label(_ facts: TripletFacts, _ mask: Int) -> UInt16 {
    labels[facts.category(ofMask: mask)] ?? BatchGet.ignoreLabel
  }

  private func objects(_ index: Int) -> Range<Int> {
    layout.instanceOffsets.isEmpty
      ? 0..<0 : layout.instanceOffsets[index]..<layout.instanceOffsets[index + 1]
  }

  /// The bytes of one item in a tensor; nil when the stream has no such tensor.
  private func place(
    _ range: Range<Int>?, _ index: Int, _ itemBytes: Int, _ bytes: UnsafeMutableRawBufferPointer
  ) -> UnsafeMutableRawBufferPointer? {
    guard let range else { return nil }
    let start = range.lowerBound + index * itemBytes
    precondition(start + itemBytes <= range.upperBound, "item \(index) of \(range)")
    return unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start..<(start + itemBytes)])
  }
}
