/// Floats of the unfolded picture that are made at a time.
private let unfoldedFloats = 1 << 20

/// Adds the gradient of a 3x3 convolution's weight to `gradient` `[outputs, inputs, 3, 3]`.
///
/// - Parameters:
///   - x: what was convolved, `[batch, height, width, inputs]`.
///   - dy: the gradient of the result, `[batch, height, width, outputs]`.
///
/// The unfolded picture times `dy`, in blocks of rows, so that it never exists as a whole.
func addConvolutionWeightGradient(_ x: Tensor, _ dy: Tensor, to gradient: Tensor) {
  let (height, width, inputs) = (x.shape[1], x.shape[2], x.shape[3])
  let outputs = dy.shape[3]
  precondition(
    x.shape.dropLast() == dy.shape.dropLast() && gradient.shape == [outputs, inputs, 3, 3],
    "gradient \(gradient.shape) of a convolution of \(x.shape) to \(dy.shape)")
  let geometry = ConvolutionGeometry(kernel: 3, padding: 1)
  let (rows, depth) = (x.shape[0] * height * width, 9 * inputs)
  let blockRows = max(32, min(rows, unfoldedFloats / depth))
  let unfolded = x.workspace.tensor([blockRows, depth])
  let sum = x.workspace.tensor([outputs, depth])
  for start in stride(from: 0, to: rows, by: blockRows) {
    let count = min(blockRows, rows - start)
    x.workspace.parallel(count, grain: 32) { piece in
      // Safe: the piece lies inside both tensors.
      unsafe SwiftKernels.unfold(
        x.pointer, height: height, width: width, channels: inputs, geometry: geometry,
        rows: start + piece.lowerBound..<start + piece.upperBound,
        unfolded.pointer + piece.lowerBound * depth)
    }
    multiply(
      .transposed(Matrix(dy).rows(start..<start + count)),
      .plain(Matrix(unfolded).rows(0..<count)), into: Matrix(sum), adding: start > 0)
  }
  x.workspace.parallel(outputs, grain: 8) { range in
    // Safe: both hold `outputs` rows of `depth` values.
    for output in range {
      let source = unsafe sum.pointer + output * depth
      let target = unsafe gradient.pointer + output * depth
      for input in 0..<inputs {
        for tap in 0..<9 { unsafe target[input * 9 + tap] += source[tap * inputs + input] }
      }
    }
  }
}

/// The weight whose convolution turns `dy` into the gradient of the input: `[outputs, inputs, 3, 3]`
/// → `[inputs, outputs, 3, 3]`, turned by half a turn.
func turnedConvolutionWeight(_ weight: Tensor) -> Tensor {
  let (outputs, inputs) = (weight.shape[0], weight.shape[1])
  let turned = weight.workspace.tensor([inputs, outputs, 3, 3])
  weight.workspace.parallel(inputs, grain: 8) { range in
    // Safe: both hold `outputs * inputs * 9` values.
    for input in range {
      for output in 0..<outputs {
        let source = unsafe weight.pointer + (output * inputs + input) * 9
        let target = unsafe turned.pointer + (input * outputs + output) * 9
        for tap in 0..<9 { unsafe target[tap] = source[8 - tap] }
      }
    }
  }
  return turned
}

/// A 3x3 convolution that keeps the size, by a weight that changes from call to call.
func convolve3x3(_ x: Tensor, weight: Tensor, bias: Tensor) -> Tensor {
  let panels = ConvolutionPanels(Weight(sharing: weight), workspace: x.workspace)
  let geometry = ConvolutionGeometry(kernel: 3, padding: 1)
  let method = convolutionMethod(
    geometry, batch: x.shape[0], height: x.shape[1], width: x.shape[2], inputs: weight.shape[1],
    outputs: weight.shape[0])
  return convolve(x, panels, bias: bias, geometry: geometry, method: method)
}
