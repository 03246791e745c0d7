/// Which statistics a batch normalisation uses.
package enum NormalizationStatistics: Sendable {
  /// The batch's own, which also move the running ones: training.
  case batch
  /// The running ones: inference.
  case running
  /// Those of each picture alone, as the published scripts do by never leaving training mode.
  case picture
}

/// Running statistics of a batch normalisation without affine map.
package final class BatchStatistics {
  static let momentum: Float = 0.1
  static let epsilon: Float = 1e-4
  /// `[channels]`: `stored_mean`.
  package let mean: Tensor
  /// `[channels]`, unbiased: `stored_var`.
  package let variance: Tensor

  /// Wraps statistics.
  package init(mean: Tensor, variance: Tensor) {
    self.mean = mean
    self.variance = variance
  }

  fileprivate func move(mean: [Double], variance: [Double], count: Int) {
    let unbiased = Double(count) / Double(max(count - 1, 1))
    func moved(_ old: Tensor, _ new: [Double], _ factor: Double) -> [Float] {
      zip(old.values, new).map {
        (1 - Self.momentum) * $0 + Self.momentum * Float($1 * factor)
      }
    }
    self.mean.write(moved(self.mean, mean, 1))
    self.variance.write(moved(self.variance, variance, unbiased))
  }
}

extension Tape {
  /// Batch normalisation of `[batch, height, width, channels]` (Ioffe and Szegedy, 2015), without an
  /// affine map; `epsilon` inside the root.
  package func batchNorm(
    _ x: Variable, _ statistics: BatchStatistics, _ use: NormalizationStatistics
  ) -> Variable {
    switch use {
    case .running:
      let scale = statistics.variance.values.map {
        1 / ($0 + BatchStatistics.epsilon).squareRoot()
      }
      let shift = zip(statistics.mean.values, scale).map { -$0 * $1 }
      let node = x.node
      return record(scaleShift(x.value, scale: scale, shift: shift)) { dy in
        node?.add(scaleShift(dy, scale: scale, shift: scale.map { _ in 0 }))
      }
    case .batch:
      return normalized(x, statistics)
    case .picture:
      precondition(!isRecording, "statistics of single pictures are for inference")
      let pictures = (0..<x.shape[0]).map {
        normalized(constant(x.value.slice($0..<$0 + 1)), nil).value
      }
      return constant(stackRows(pictures, shape: x.shape))
    }
  }

  private func normalized(_ x: Variable, _ statistics: BatchStatistics?) -> Variable {
    let channels = x.shape[3]
    let count = x.value.count / channels
    let mean = columnSums(x.value).map { $0 / Double(count) }
    let ones = [Float](repeating: 1, count: channels)
    let centred = scaleShift(x.value, scale: ones, shift: mean.map { Float(-$0) })
    let variance = columnSums(centred, times: centred).map { $0 / Double(count) }
    statistics?.move(mean: mean, variance: variance, count: count)
    let scale = variance.map { 1 / ($0 + Double(BatchStatistics.epsilon)).squareRoot() }
    let none = [Float](repeating: 0, count: channels)
    let y = scaleShift(centred, scale: scale.map { Float($0) }, shift: none)
    let node = x.node
    return record(y) { dy in
      guard let node else { return }
      // dx = (dy − mean(dy) − y · mean(dy · y)) / σ.
      let sums = columnSums(dy)
      let products = columnSums(dy, times: y)
      let dx = scaleShift(
        dy, scale: scale.map { Float($0) },
        shift: zip(sums, scale).map { Float(-$0 / Double(count) * $1) })
      addScaledColumns(
        y, scale: zip(products, scale).map { Float(-$0 / Double(count) * $1) }, to: dx)
      node.add(dx)
    }
  }

  /// Layer normalisation of the last axis with an affine map.
  package func layerNorm(_ x: Variable, weight: Parameter, bias: Parameter) -> Variable {
    let epsilon: Float = 1e-5
    let y = Generator.layerNorm(
      x.value, weight: weight.value, bias: bias.value, epsilon: epsilon)
    let (value, node) = (x.value, x.node)
    return record(y) { dy in
      let dx = layerNormGradient(
        value, weight: weight.value, epsilon: epsilon, dy, weightGradient: weight.gradient,
        biasGradient: bias.gradient)
      node?.add(dx)
    }
  }
}
