import Imaging
import Schema
import Store

/// Writes the body of one batch; `BatchGet` describes its tensors.
///
/// The same stream and the same triplets give the same bytes: nothing else goes in.
struct BatchBuilder {
  /// A triplet as it is drawn.
  struct Item {
    /// What the store knows of it.
    let info: TripletInfo
    /// Its image, of any size.
    let image: RGBImage
    /// Its masks, of the image's size.
    let masks: [BinaryMask]
    /// Why it is in the batch.
    let draw: Draw
  }

  private let side: Int
  private let labels: [CategoryName: UInt16]
  private let names: [CategoryName]
  private let plan: BatchPlan

  /// A builder for one stream.
  init(_ stream: OpenStream) {
    side = stream.imageSize
    names = stream.view.categories.map(\.name)
    labels = Dictionary(
      uniqueKeysWithValues: names.enumerated().map { ($1, UInt16($0 + 1)) })
    plan = stream.plan
  }

  /// Bytes of a batch of `count` triplets of side `side`, without its header.
  static func dataBytes(count: Int, side: Int) -> Int {
    count * (side * side * (3 + 2 + 1) + 4 + 8 + 4)
  }

  /// The body, in safetensors layout.
  func body(_ items: [Item]) -> [UInt8] {
    let (count, pixels) = (items.count, side * side)
    var images: [UInt8] = []
    var labelMaps: [UInt8] = []
    var targets: [UInt8] = []
    images.reserveCapacity(count * pixels * 3)
    labelMaps.reserveCapacity(count * pixels * 2)
    targets.reserveCapacity(count * pixels)
    for item in items {
      let fits = item.image.width == side && item.image.height == side
      images +=
        fits ? item.image.pixels : Resize.image(item.image, width: side, height: side).pixels
      let masks =
        fits ? item.masks : item.masks.map { Resize.nearest($0, width: side, height: side) }
      for label in labelMap(item.info.masks, masks) {
        labelMaps.append(UInt8(truncatingIfNeeded: label))
        labelMaps.append(UInt8(label >> 8))
      }
      targets += target(names[item.draw.category], item.info.masks, masks)
    }
    return Safetensors.encode([
      ("image", .u8, [count, side, side, 3], images),
      ("labels", .u16, [count, side, side], labelMaps),
      ("target", .u8, [count, side, side], targets),
      (
        "category", .i32, [count],
        items.flatMap { Int32($0.draw.category).littleEndianBytes }
      ),
      ("triplet", .i64, [count], items.flatMap { $0.info.triplet.littleEndianBytes }),
      (
        "probability", .f32, [count],
        items.flatMap { probability($0.draw).bitPattern.littleEndianBytes }
      ),
    ])
  }

  private func probability(_ draw: Draw) -> Float {
    Float(plan.probability(category: draw.category, count: draw.count))
  }

  /// 0 background, position + 1 of the stream's categories, 65535 for others; later masks win.
  private func labelMap(_ infos: [MaskInfo], _ masks: [BinaryMask]) -> [UInt16] {
    var map = [UInt16](repeating: 0, count: side * side)
    for (info, mask) in zip(infos, masks) {
      let label = labels[info.category] ?? BatchGet.ignoreLabel
      for (pixel, value) in mask.values.enumerated() where value == 1 { map[pixel] = label }
    }
    return map
  }

  /// All objects of one category as one mask.
  private func target(
    _ category: CategoryName, _ infos: [MaskInfo], _ masks: [BinaryMask]
  ) -> [UInt8] {
    var target = [UInt8](repeating: 0, count: side * side)
    for (info, mask) in zip(infos, masks) where info.category == category {
      for (pixel, value) in mask.values.enumerated() where value == 1 { target[pixel] = 1 }
    }
    return target
  }
}
