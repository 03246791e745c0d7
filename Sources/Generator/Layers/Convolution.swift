/// A two-dimensional convolution of channels-last pictures.
package struct Convolution: Sendable {
  private let weight: ConvolutionPanels
  private let bias: Tensor
  private let geometry: ConvolutionGeometry
  private let inputs: Int
  private let outputs: Int

  /// Reads `weight` `[outputs, inputs, kernel, kernel]` and, where there is one, `bias`
  /// `[outputs]`.
  package init(
    _ weights: WeightScope, inputs: Int, outputs: Int, geometry: ConvolutionGeometry,
    hasBias: Bool = true
  ) {
    let kernel = geometry.kernel
    weight = ConvolutionPanels(
      weights.weight("weight", [outputs, inputs, kernel, kernel]), workspace: weights.workspace)
    bias =
      hasBias
      ? weights.tensor("bias", [outputs])
      : weights.workspace.tensor([Float](repeating: 0, count: outputs), shape: [outputs])
    self.geometry = geometry
    self.inputs = inputs
    self.outputs = outputs
  }

  /// A 3x3 convolution that keeps the size.
  package init(_ weights: WeightScope, inputs: Int, outputs: Int) {
    self.init(
      weights, inputs: inputs, outputs: outputs,
      geometry: ConvolutionGeometry(kernel: 3, padding: 1))
  }

  /// `[batch, height, width, inputs]` → `[batch, height', width', outputs]`.
  package func callAsFunction(_ x: Tensor) -> Tensor {
    let method = convolutionMethod(
      geometry, batch: x.shape[0], height: x.shape[1], width: x.shape[2], inputs: inputs,
      outputs: outputs)
    return convolve(x, weight, bias: bias, geometry: geometry, method: method)
  }
}
