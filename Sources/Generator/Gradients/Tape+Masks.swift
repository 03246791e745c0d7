/// What a mask's logits are trained to.
package enum MaskLoss: String, Sendable, CaseIterable, Codable {
  /// Binary cross-entropy with logits, the mean over pixels.
  case crossEntropy = "bce"
  /// `1 − (2·Σ p·t + 1) / (Σ p² + t² + 1)` (Milletari et al., "V-Net", 2016).
  case dice
  /// The sum of both.
  case both = "bce+dice"
}

extension Tape {
  /// Attention within segments, see ``segmentAttention(_:_:_:heads:segments:)``.
  package func attention(
    _ query: Variable, _ key: Variable, _ value: Variable, heads: Int,
    segments: [AttentionSegment]
  ) -> Variable {
    let (q, k, v) = (query.value, key.value, value.value)
    let (result, probabilities) = segmentAttention(q, k, v, heads: heads, segments: segments)
    let nodes = (query.node, key.node, value.node)
    return record(result) { dy in
      let gradients = segmentAttentionGradient(
        q, k, v, heads: heads, segments: segments, probabilities, dy)
      nodes.0?.add(gradients.query)
      nodes.1?.add(gradients.key)
      nodes.2?.add(gradients.value)
    }
  }

  /// Logits `[queries, height, width, 1]`: the dot product of each query's embedding with every pixel
  /// of its picture.
  ///
  /// - Parameters:
  ///   - embeddings: `[queries, channels]`.
  ///   - pixels: `[batch, height, width, channels]`.
  ///   - queries: for each picture, the rows that ask about it.
  package func maskProducts(
    _ embeddings: Variable, _ pixels: Variable, queries: [Range<Int>]
  ) -> Variable {
    let (e, f) = (embeddings.value, pixels.value)
    let count = f.shape[1] * f.shape[2]
    let y = e.workspace.tensor([e.shape[0], f.shape[1], f.shape[2], 1])
    let logits = Matrix(y.reshaped([e.shape[0], count]))
    func picture(_ x: Tensor, _ index: Int) -> Matrix {
      Matrix(x).rows(index * count..<(index + 1) * count)
    }
    for (index, rows) in queries.enumerated() {
      multiply(
        .plain(Matrix(e).rows(rows)), .transposed(picture(f, index)), into: logits.rows(rows))
    }
    let (eNode, fNode) = (embeddings.node, pixels.node)
    return record(y) { dy in
      let dLogits = Matrix(dy.reshaped([e.shape[0], count]))
      let (dEmbeddings, dPixels) = (zeros(e), zeros(f))
      for (index, rows) in queries.enumerated() where !rows.isEmpty {
        multiply(
          .plain(dLogits.rows(rows)), .plain(picture(f, index)),
          into: Matrix(dEmbeddings).rows(rows))
        multiply(
          .transposed(dLogits.rows(rows)), .plain(Matrix(e).rows(rows)),
          into: picture(dPixels, index))
      }
      eNode?.add(dEmbeddings)
      fNode?.add(dPixels)
    }
  }

  /// The losses of masks, and `scale` times their sum as `[1]`.
  ///
  /// - Parameters:
  ///   - logits: `[queries, height, width, 1]`.
  ///   - targets: of as many values, each 0 or 1.
  ///   - weights: of as many values: 0 where a pixel does not count, else 1.
  package func maskLoss(
    _ logits: Variable, targets: Tensor, weights: Tensor, _ kind: MaskLoss, scale: Double
  ) -> (total: Variable, losses: [Double]) {
    let rows = logits.shape[0]
    precondition(
      targets.count == logits.value.count && weights.count == targets.count,
      "targets \(targets.shape) for logits \(logits.shape)")
    func row(_ x: Tensor, _ index: Int) -> Matrix {
      Matrix(x.reshaped([rows, x.count / rows])).rows(index..<index + 1)
    }
    let x = logits.value
    let sums = (0..<rows).map { maskLossSums(row(x, $0), row(targets, $0), row(weights, $0)) }
    let losses = sums.map(kind.value)
    let total = x.workspace.tensor([Float(scale * losses.reduce(0, +))], shape: [1])
    let node = logits.node
    let variable = record(total) { dy in
      let factor = scale * Double(dy.values[0])
      let gradient = x.like()
      for (index, sum) in sums.enumerated() {
        let (a, b, c) = kind.coefficients(sum)
        maskLossGradient(
          row(x, index), row(targets, index), row(weights, index), a: factor * a, b: factor * b,
          c: factor * c, into: row(gradient, index))
      }
      node?.add(gradient)
    }
    return (variable, losses)
  }
}

extension MaskLoss {
  fileprivate func value(_ sums: MaskLossSums) -> Double {
    let entropy = sums.crossEntropy / max(sums.weight, 1)
    let dice = 1 - (2 * sums.product + 1) / (sums.squares + 1)
    return switch self {
    case .crossEntropy: entropy
    case .dice: dice
    case .both: entropy + dice
    }
  }

  /// The gradient as `a·(p − t) + p·(1 − p)·(b·t + c·p)`.
  fileprivate func coefficients(_ sums: MaskLossSums) -> (Double, Double, Double) {
    let entropy = self == .dice ? 0 : 1 / max(sums.weight, 1)
    guard self != .crossEntropy else { return (entropy, 0, 0) }
    // d/dp of −(2·Σpt + 1)/(Σ(p² + t²) + 1) = −2t/S + (2·Σpt + 1)·2p/S².
    let denominator = sums.squares + 1
    return (
      entropy, -2 / denominator, 2 * (2 * sums.product + 1) / (denominator * denominator)
    )
  }
}
