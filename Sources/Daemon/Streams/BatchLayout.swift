import Schema

/// Where everything of one batch lies in its body.
struct BatchLayout: Sendable {
  /// The body's header and where its tensors lie.
  let body: Safetensors.Plan
  /// The first object of each item, and the number of all; empty without instances.
  let instanceOffsets: [Int]

  /// Lays out a batch.
  ///
  /// - Parameter maskCounts: the number of masks of each item.
  init(_ format: BatchFormat, side: Int, maskCounts: [Int]) {
    let count = maskCounts.count
    var offsets: [Int] = []
    if format.tensors.contains(.instances) {
      offsets = maskCounts.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }
    }
    instanceOffsets = offsets
    let objects = offsets.last ?? 0
    var tensors: [(name: String, type: ElementType, shape: [Int])] = []
    for tensor in format.tensors {
      switch tensor {
      case .image:
        tensors.append(
          ("image", .u8, format.layout == .nhwc ? [count, side, side, 3] : [count, 3, side, side]))
      case .labels: tensors.append(("labels", .u16, [count, side, side]))
      case .target: tensors.append(("target", .u8, [count, side, side]))
      case .category: tensors.append(("category", .i32, [count]))
      case .triplet: tensors.append(("triplet", .i64, [count]))
      case .probability: tensors.append(("probability", .f32, [count]))
      case .instances:
        tensors.append(("instances", .u8, [objects, side, side]))
        tensors.append(("instance_label", .u16, [objects]))
        tensors.append(("instance_offset", .i64, [count + 1]))
      }
    }
    body = Safetensors.plan(tensors)
  }

  /// Bytes of the tensors of a batch without instances, without its header and gaps.
  static func dataBytes(_ format: BatchFormat, count: Int, side: Int) -> Int {
    format.tensors.reduce(0) { sum, tensor in
      let perItem =
        switch tensor {
        case .image: 3 * side * side
        case .labels: 2 * side * side
        case .target: side * side
        case .category, .probability: 4
        case .triplet: 8
        // At least one object to an item.
        case .instances: side * side + 2 + 8
        }
      return sum + count * perItem
    }
  }
}
