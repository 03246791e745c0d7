extension Tape {
  /// `y = x·Wᵀ + b` of the last axis.
  ///
  /// - Parameters:
  ///   - x: one or more tensors of equal leading axes, whose last axes, joined, are the inputs; a
  ///     convolution of 1x1 over joined channels needs no joined copy.
  ///   - weight: `[outputs, inputs]` or `[outputs, inputs, 1, 1]`.
  ///   - bias: `[outputs]`.
  package func linear(_ x: [Variable], _ weight: Parameter, bias: Parameter? = nil) -> Variable {
    let (outputs, inputs) = (weight.value.shape[0], weight.value.shape[1])
    let widths = x.map { $0.shape[$0.shape.count - 1] }
    precondition(widths.reduce(0, +) == inputs, "linear of \(widths) by \(weight.value.shape)")
    let leading = x[0].shape.dropLast()
    let y = x[0].value.workspace.tensor(leading + [outputs])
    if let bias { fillRows(y, with: bias.value) }
    let matrix = Matrix(weight.value.reshaped([outputs, inputs]))
    var starts = [0]
    for width in widths { starts.append(starts[starts.count - 1] + width) }
    for (index, part) in x.enumerated() {
      precondition(part.shape.dropLast() == leading, "linear of \(x.map(\.shape))")
      multiply(
        .plain(Matrix(part.value)),
        .transposed(matrix.columns(starts[index]..<starts[index + 1])), into: Matrix(y),
        adding: index > 0 || bias != nil)
    }
    return record(y) { dy in
      let gradient = Matrix(weight.gradient.reshaped([outputs, inputs]))
      for (index, part) in x.enumerated() {
        let columns = starts[index]..<starts[index + 1]
        multiply(
          .transposed(Matrix(dy)), .plain(Matrix(part.value)), into: gradient.columns(columns),
          adding: true)
        guard let node = part.node else { continue }
        let dx = part.value.like()
        multiply(.plain(Matrix(dy)), .plain(matrix.columns(columns)), into: Matrix(dx))
        node.add(dx)
      }
      if let bias { addColumnSums(dy, to: bias.gradient) }
    }
  }

  /// `y = x·Wᵀ + b` of the last axis.
  package func linear(_ x: Variable, _ weight: Parameter, bias: Parameter? = nil) -> Variable {
    linear([x], weight, bias: bias)
  }

  /// A 3x3 convolution that keeps the size: `x` `[batch, height, width, inputs]`, `weight`
  /// `[outputs, inputs, 3, 3]`, `bias` `[outputs]`.
  package func convolution(_ x: Variable, weight: Variable, bias: Parameter) -> Variable {
    let y = convolve3x3(x.value, weight: weight.value, bias: bias.value)
    let (xNode, weightNode, w) = (x.node, weight.node, weight.value)
    let value = x.value
    return record(y) { dy in
      if let weightNode {
        let gradient = zeros(w)
        addConvolutionWeightGradient(value, dy, to: gradient)
        weightNode.add(gradient)
      }
      addColumnSums(dy, to: bias.gradient)
      guard let xNode else { return }
      let noBias = zeros(dy.workspace.tensor([w.shape[1]]))
      xNode.add(convolve3x3(dy, weight: turnedConvolutionWeight(w), bias: noBias))
    }
  }

  /// A weight over its largest singular value, by one power iteration.
  ///
  /// Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, as
  /// ajbrock/BigGAN-PyTorch, `layers.py`, computes it: the singular value keeps its gradient, the
  /// vectors are constants, and they are kept for the next step only while training.
  ///
  /// - Parameter vectors: the state, updated in place if `isTraining`.
  package func spectrallyNormalized(
    _ weight: Parameter, _ vectors: SpectralVectors, isTraining: Bool
  ) -> Variable {
    let (w, workspace) = (weight.value, weight.value.workspace)
    let (outputs, inputs) = (w.shape[0], w.count / w.shape[0])
    let matrix = Matrix(w.reshaped([outputs, inputs]))
    let right = workspace.tensor([1, inputs])
    multiply(.plain(Matrix(vectors.left)), .plain(matrix), into: Matrix(right))
    normalize(right, epsilon: SpectralVectors.epsilon)
    let left = workspace.tensor([1, outputs])
    multiply(.plain(Matrix(right)), .transposed(matrix), into: Matrix(left))
    let unscaled = left.copy()
    normalize(left, epsilon: SpectralVectors.epsilon)
    // v·Wᵀ·uᵀ, where v·Wᵀ is the vector before it was normalised.
    let sigma = Float(columnDot(unscaled, left))
    if isTraining { vectors.set(left: left, value: sigma) }
    let y = combine(1 / sigma, w, 0, w)
    return record(y) { dy in
      // d(W/σ): dW = dy/σ − (Σ dy·W)/σ² · u·vᵀ.
      let product = Float(columnDot(dy, w)) / (sigma * sigma)
      let gradient = Matrix(weight.gradient.reshaped([outputs, inputs]))
      addInPlace(1 / sigma, dy, to: weight.gradient)
      multiply(
        .transposed(Matrix(left)), .plain(Matrix(right)), into: gradient, adding: true,
        scale: -product)
    }
  }
}

/// The state of spectral normalisation of one weight.
package final class SpectralVectors {
  /// The smallest norm that is divided by: BigGAN's `SN_eps` in the published module.
  static let epsilon: Float = 1e-4
  /// An estimate of the first left singular vector, `[1, outputs]`: `u0`.
  package let left: Tensor
  /// The singular value of the last training step, `[1]`: `sv0`.
  package let value: Tensor

  /// Wraps a state.
  package init(left: Tensor, value: Tensor) {
    self.left = left
    self.value = value
  }

  fileprivate func set(left: Tensor, value: Float) {
    copyValues(of: left, to: self.left)
    self.value.write([value])
  }
}
