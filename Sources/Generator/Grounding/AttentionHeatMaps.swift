/// Where the words of a prompt act on a picture: cross-attention probabilities, summed over layers,
/// heads and steps.
///
/// Tang et al., "What the DAAM: Interpreting Stable Diffusion Using Cross Attention", ACL 2023, as
/// castorini/daam v0.1 computes it: the middle block is left out, maps are enlarged by cubic
/// interpolation, clamped at 0 and averaged. Needs no training.
package struct AttentionHeatMaps: Sendable {
  /// The threshold that DAAM uses.
  package static let standardThreshold: Float = 0.4

  /// How often maps are propagated by Dataset Diffusion.
  package static let standardPropagations = 4

  // Sums over steps by layer, [heads, pixels, tokens].
  private var sums: [String: Tensor] = [:]
  // Sums over steps, layers and heads of the attention of pixels to pixels, by the number of pixels.
  private var selfSums: [Int: Tensor] = [:]
  private let height: Int
  private let width: Int

  /// Maps of one picture of `height` by `width` latent pixels.
  package init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  /// The layers that a ``UNetRequest`` should hand out.
  @Sendable package static func isWanted(_ layer: String) -> Bool {
    layer.hasSuffix("attn2") && !layer.hasPrefix("mid_block")
  }

  /// The same and, to propagate maps, attention of pixels to pixels; that of the finest level, whose
  /// matrices are the largest by far, is left out.
  @Sendable package static func isWantedToPropagate(
    _ layer: String, levels: Int
  ) -> Bool {
    if layer.hasSuffix("attn2") { return isWanted(layer) }
    return !["down_blocks.0.", "up_blocks.\(levels - 1).", "mid_block."]
      .contains { layer.hasPrefix($0) }
  }

  /// Adds an evaluation of the U-Net.
  ///
  /// - Parameter row: the picture's place in the evaluation's batch; with guidance, that of its
  ///   conditional half.
  package mutating func add(_ taps: [UNetTap], row: Int) {
    for tap in taps {
      let shape = tap.value.shape
      let value = tap.value.slice(row..<row + 1).reshaped(Array(shape.dropFirst()))
      if tap.name.hasSuffix(AttentionKind.toItself.rawValue) {
        let sum = selfSums[shape[2]] ?? zeros(tap.value.workspace.tensor([shape[2], shape[2]]))
        for head in 0..<shape[1] { addInPlace(1, value.slice(head..<head + 1), to: sum) }
        selfSums[shape[2]] = sum
        continue
      }
      sums[tap.name] = sums[tap.name].map { combine(1, $0, 1, value) } ?? value.copy()
    }
  }

  /// The heat of a word at the picture's size, from 0 to 1.
  ///
  /// - Parameters:
  ///   - tokens: the places of its tokens in the prompt; their maps are averaged.
  ///   - propagations: how often the map is multiplied by the attention of pixels to pixels, which
  ///     fills it out to the borders of what looks alike (Nguyen et al., "Dataset Diffusion", NeurIPS
  ///     2023).
  package func map(
    tokens: [Int], height: Int, width: Int, propagations: Int = 0
  ) -> [Float] {
    guard let workspace = sums.first?.value.workspace, !tokens.isEmpty else {
      return [Float](repeating: 0, count: height * width)
    }
    let rows = sums.keys.sorted().flatMap { layer in
      tokens.map { (layer, $0) }
    }
    var total = zeros(workspace.tensor([1, self.height, self.width, 1]))
    var count = 0
    for (layer, token) in rows {
      guard let sum = sums[layer], let size = size(pixels: sum.shape[1]) else { continue }
      for head in 0..<sum.shape[0] {
        let map = channels(sum.slice(head..<head + 1), token..<token + 1)
          .reshaped([1, size.height, size.width, 1])
        addInPlace(1, activate(cubic(map, self.height, self.width), .relu), to: total)
        count += 1
      }
    }
    scaleInPlace(1 / Float(max(count, 1)), total)
    if propagations > 0 { total = propagated(total, times: propagations) }
    let values = cubic(total, height, width).values
    let (least, most) = (values.min() ?? 0, values.max() ?? 0)
    return values.map { ($0 - least) / (most - least + 1e-8) }
  }

  /// A map at the size of the finest attention of pixels to pixels, multiplied by it.
  private func propagated(_ map: Tensor, times: Int) -> Tensor {
    guard let (pixels, sum) = selfSums.max(by: { $0.key < $1.key }),
      let size = size(pixels: pixels)
    else { return map }
    let rows = AxisWeights(linearFrom: height, to: size.height)
    let columns = AxisWeights(linearFrom: width, to: size.width)
    var values = interpolate(map, rows: rows, columns: columns).reshaped([pixels, 1])
    for _ in 0..<times {
      let next = values.like()
      multiply(.plain(Matrix(sum)), .plain(Matrix(values)), into: Matrix(next))
      // Only proportions matter, and powers of a sum grow fast.
      scaleInPlace(1 / max(next.values.max() ?? 1, 1e-20), next)
      values = next
    }
    return values.reshaped([1, size.height, size.width, 1])
  }

  private func cubic(_ x: Tensor, _ height: Int, _ width: Int) -> Tensor {
    interpolate(
      x, rows: AxisWeights(cubicFrom: x.shape[1], to: height),
      columns: AxisWeights(cubicFrom: x.shape[2], to: width))
  }

  /// The sides of a map of `pixels` pixels: the latent's, halved a number of times.
  private func size(pixels: Int) -> (height: Int, width: Int)? {
    var size = (height: height, width: width)
    while size.height * size.width > pixels {
      size = ((size.height + 1) / 2, (size.width + 1) / 2)
      if size.height * size.width == 1 { break }
    }
    return size.height * size.width == pixels ? size : nil
  }
}
