private import CKernels
import Foundation

/// A tensor of a checkpoint: values that are never written, in the element type they were stored.
///
/// Values stay in the mapped file where they can; half-precision values stay half-precision, and
/// kernels widen the part they are about to use.
package struct Weight: Sendable {
  /// How the values are stored.
  package enum Kind: Sendable {
    case float32, float16, bfloat16

    /// Bytes of one value.
    var bytes: Int { self == .float32 ? 4 : 2 }

    var code: Int32 {
      switch self {
      case .float32: Int32(GW_FLOAT32)
      case .float16: Int32(GW_FLOAT16)
      case .bfloat16: Int32(GW_BFLOAT16)
      }
    }

    init?(safetensors name: String) {
      switch name {
      case "F32": self = .float32
      case "F16": self = .float16
      case "BF16": self = .bfloat16
      default: return nil
      }
    }
  }

  /// Where the values are: in a mapped file, or in memory of their own.
  enum Source: Sendable {
    case file(MappedFile)
    case memory(Memory)
    case tensor(Tensor)
  }

  /// Lengths of the axes, outermost first.
  package let shape: [Int]
  /// How the values are stored.
  package let kind: Kind
  let source: Source
  private let offsetBytes: Int

  init(shape: [Int], kind: Kind, source: Source, offsetBytes: Int = 0) {
    self.shape = shape
    self.kind = kind
    self.source = source
    self.offsetBytes = offsetBytes
  }

  /// Float32 values of its own.
  package init(_ values: [Float], shape: [Int]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for \(shape)")
    let memory = Memory(bytes: values.count * 4)
    unsafe values.withUnsafeBytes { bytes in
      // Safe: the memory was made for exactly these bytes.
      if let base = bytes.baseAddress {
        unsafe memory.pointer.copyMemory(from: base, byteCount: bytes.count)
      }
    }
    self.init(shape: shape, kind: .float32, source: .memory(memory))
  }

  /// The values of a tensor, shared: for weights that were made here.
  init(sharing tensor: Tensor) {
    self.init(shape: tensor.shape, kind: .float32, source: .tensor(tensor))
  }

  /// How many values there are.
  package var count: Int { shape.reduce(1, *) }
  /// Bytes of all values.
  package var byteCount: Int { count * kind.bytes }

  /// The first value; valid while this weight lives.
  @unsafe var pointer: UnsafeRawPointer {
    switch source {
    case .file(let file): unsafe file.pointer(at: offsetBytes)
    case .memory(let memory): unsafe UnsafeRawPointer(memory.pointer + offsetBytes)
    case .tensor(let tensor): unsafe UnsafeRawPointer(tensor.pointer) + offsetBytes
    }
  }

  /// The same values under another shape.
  package func reshaped(_ shape: [Int]) -> Weight {
    precondition(shape.reduce(1, *) == count, "\(self.shape) reshaped to \(shape)")
    return Weight(shape: shape, kind: kind, source: source, offsetBytes: offsetBytes)
  }

  /// Elements `range` of the outermost axis, sharing the values.
  package func slice(_ range: Range<Int>) -> Weight {
    let inner = shape.dropFirst().reduce(1, *)
    precondition(range.lowerBound >= 0 && range.upperBound <= shape[0], "\(range) of \(shape)")
    return Weight(
      shape: [range.count] + shape.dropFirst(), kind: kind, source: source,
      offsetBytes: offsetBytes + range.lowerBound * inner * kind.bytes)
  }

  /// Lends rows `rows` of the outermost axis as floats.
  @unsafe func withFloats(
    rows: Range<Int>, workspace: Workspace, _ body: (UnsafePointer<Float>) -> Void
  ) {
    let inner = shape.dropFirst().reduce(1, *)
    precondition(rows.upperBound <= shape[0], "rows \(rows) of \(shape)")
    if kind == .float32 {
      // Safe: alignment was checked where the weight was made.
      unsafe body(
        pointer.assumingMemoryBound(to: Float.self) + rows.lowerBound * inner)
    } else {
      let scratch = workspace.tensor([rows.count, inner])
      unsafe gw_widen(
        pointer, kind.code, rows.lowerBound * inner, rows.count * inner, scratch.pointer)
      unsafe body(scratch.pointer)
      withExtendedLifetime(scratch) {}
    }
  }

  /// All values as floats in a tensor, for the small ones: biases and norms.
  package func tensor(_ workspace: Workspace) -> Tensor {
    let result = workspace.tensor(shape)
    // Safe: both hold `count` values.
    unsafe gw_widen(pointer, kind.code, 0, count, result.pointer)
    return result
  }

  /// All values as floats.
  package var values: [Float] {
    guard count > 0 else { return [] }
    // Safe: the array has room for `count` values and all are written.
    return unsafe [Float](unsafeUninitializedCapacity: count) { buffer, written in
      guard let base = buffer.baseAddress else { return }
      unsafe gw_widen(pointer, kind.code, 0, count, base)
      written = count
    }
  }

  /// Stands in for a tensor that a checkpoint lacks, until the load fails.
  static let missing = Weight([], shape: [0])
  /// Whether this only stands in for a tensor that a checkpoint lacks.
  var isMissing: Bool { shape == [0] }

  /// Whether a value is infinite or not a number.
  var hasNonFinite: Bool {
    guard count > 0 else { return false }
    return unsafe SwiftKernels.hasNonFinite(pointer, kind, count)
  }

  /// Lets the pages of a mapped file go until they are touched again.
  func forget() {
    if case .file(let file) = source { file.forget(offsetBytes..<offsetBytes + byteCount) }
  }

  /// Bytes of their own for the values of a weight.
  @safe final class Memory: @unchecked Sendable {
    // Written only before it is shared.
    let pointer: UnsafeMutableRawPointer

    init(bytes: Int) {
      // Safe: freed in `deinit` alone.
      unsafe pointer = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
    }

    deinit { unsafe pointer.deallocate() }
  }
}
