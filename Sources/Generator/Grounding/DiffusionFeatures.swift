/// The U-Net's activations that a ``GroundingModule`` reads, by level.
package struct DiffusionFeatures: Sendable {
  /// Coarsest level first; per level its blocks `[batch, height, width, channels]` in order of
  /// execution, of a pair the unconditional half before the conditional one.
  package private(set) var levels: [[Tensor]]

  /// Wraps levels.
  package init(levels: [[Tensor]]) { self.levels = levels }

  /// Groups the blocks of a U-Net evaluation by their size.
  ///
  /// - Parameters:
  ///   - batch: pictures; the evaluation's batch is this, or twice this and then
  ///     `[unconditional; conditional]`.
  ///   - isPaired: whether both halves are wanted, else the conditional one.
  ///
  /// The published code reshapes `[2 · batch, channels]` to `[batch, 2 · channels]`, which pairs
  /// halves of different pictures when the batch is larger than 1; here every picture keeps its own.
  /// - Throws: ``GeneratorError/Code/invalidArgument`` when a pair is wanted and there is none.
  package init(
    blocks: [UNetTap], batch: Int, isPaired: Bool
  ) throws(GeneratorError) {
    guard let evaluated = blocks.first?.value.shape[0] else {
      throw GeneratorError(.invalidArgument, "a U-Net evaluation without its blocks")
    }
    precondition(
      evaluated == batch || evaluated == 2 * batch, "a batch of \(evaluated) for \(batch) pictures")
    guard !isPaired || evaluated == 2 * batch else {
      throw GeneratorError(
        .invalidArgument,
        "the module reads features of both halves of guidance; run with a guidance scale above 1")
    }
    let sizes = Set(blocks.map { $0.value.shape[1] }).sorted()
    levels = sizes.map { height in
      blocks.filter { $0.value.shape[1] == height }.flatMap { block in
        let conditional = block.value.slice(evaluated - batch..<evaluated)
        return isPaired ? [block.value.slice(0..<batch), conditional] : [conditional]
      }
    }
  }

  /// Puts zeros in place of the features of all levels but some: what is lost without them.
  mutating func clear(except used: [Int]) {
    for index in levels.indices where !used.contains(index) {
      levels[index] = levels[index].map(zeros)
    }
  }

  /// The features of several pictures, one behind the other.
  ///
  /// - Precondition: at least one, and all of one size.
  init(stacking parts: [DiffusionFeatures]) {
    levels = parts[0].levels.indices.map { level in
      parts[0].levels[level].indices.map { block in
        let tensors = parts.map { $0.levels[level][block] }
        return stackRows(
          tensors, shape: [tensors.map { $0.shape[0] }.reduce(0, +)] + tensors[0].shape.dropFirst())
      }
    }
  }

  /// How many pictures there are.
  package var batch: Int { levels.first?.first?.shape[0] ?? 0 }

  /// Channels of each level.
  package var channels: [Int] {
    levels.map { $0.map { $0.shape[3] }.reduce(0, +) }
  }

  /// Height and width of the finest level.
  package var size: (height: Int, width: Int) {
    let finest = levels.last?.first?.shape ?? [0, 0, 0, 0]
    return (finest[1], finest[2])
  }
}
