/// Float32 values in row-major order, without gaps.
///
/// Pictures inside the networks are channels-last, `[batch, height, width, channels]`: then a pixel
/// is a token, a 1x1 convolution is a matrix product and attention needs no transposition. The
/// published axis order `[batch, channels, height, width]` is used at the edges, see
/// ``channelsLast()`` and ``channelsFirst()``.
///
/// A tensor is a view of a buffer of a ``Workspace``. The kernel that makes a tensor writes it;
/// afterwards it is only read, except by functions that say "in place".
package struct Tensor: Sendable {
  /// Lengths of the axes, outermost first.
  package let shape: [Int]
  /// Product of ``shape``.
  package let count: Int
  let storage: Storage
  let offset: Int

  init(storage: Storage, offset: Int, shape: [Int]) {
    self.shape = shape
    count = shape.reduce(1, *)
    precondition(
      shape.allSatisfy { $0 >= 0 } && offset >= 0 && offset + count <= storage.buffer.capacity,
      "a tensor \(shape) at \(offset) of a buffer of \(storage.buffer.capacity)")
    self.storage = storage
    self.offset = offset
  }

  /// Where the buffer comes from.
  package var workspace: Workspace { storage.workspace }

  /// The first value; valid while this tensor lives, for ``count`` values.
  @unsafe var pointer: UnsafeMutablePointer<Float> { unsafe storage.buffer.pointer + offset }

  /// Another tensor of the same shape whose values are not set yet.
  package func like() -> Tensor { workspace.tensor(shape) }

  /// The same values under another shape.
  ///
  /// - Precondition: the counts are equal.
  package func reshaped(_ shape: [Int]) -> Tensor {
    let view = Tensor(storage: storage, offset: offset, shape: shape)
    precondition(view.count == count, "\(self.shape) reshaped to \(shape)")
    return view
  }

  /// Elements `range` of the outermost axis, sharing the values.
  package func slice(_ range: Range<Int>) -> Tensor {
    precondition(range.lowerBound >= 0 && range.upperBound <= shape[0], "\(range) of \(shape)")
    let inner = shape.dropFirst().reduce(1, *)
    return Tensor(
      storage: storage, offset: offset + range.lowerBound * inner,
      shape: [range.count] + shape.dropFirst())
  }

  /// The values, copied out.
  package var values: [Float] {
    // Safe: the pointer covers `count` floats while `self` lives.
    withExtendedLifetime(storage) {
      unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
    }
  }

  /// Replaces all values, in place.
  func write(_ values: [Float]) {
    precondition(values.count == count, "\(values.count) values for \(shape)")
    guard count > 0 else { return }
    unsafe values.withUnsafeBufferPointer { source in
      // Safe: counts are equal, and a fresh Swift array never overlaps the buffer.
      guard let base = source.baseAddress else { return }
      unsafe pointer.update(from: base, count: count)
    }
  }

  /// A copy with its own buffer.
  package func copy() -> Tensor {
    let result = like()
    // Safe: both cover `count` floats, in different buffers.
    withExtendedLifetime(storage) {
      unsafe result.pointer.update(from: pointer, count: count)
    }
    return result
  }
}
