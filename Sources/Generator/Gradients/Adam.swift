import Foundation

/// The optimiser of the paper: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, as
/// PyTorch computes it, without weight decay.
package final class Adam {
  /// The step length.
  package var learningRate: Float
  /// Steps taken.
  package private(set) var stepCount: Int
  /// What is trained, in order.
  package let parameters: [Parameter]
  /// Running means of the gradients.
  package let first: [Tensor]
  /// Running means of their squares.
  package let second: [Tensor]

  private static let beta1 = 0.9
  private static let beta2 = 0.999
  private static let epsilon: Float = 1e-8

  /// An optimiser that has taken no step.
  package convenience init(parameters: [Parameter], learningRate: Float) {
    self.init(
      parameters: parameters, learningRate: learningRate, stepCount: 0,
      first: parameters.map { zeros($0.value) }, second: parameters.map { zeros($0.value) })
  }

  /// Continues from a state.
  ///
  /// - Precondition: the moments have the parameters' shapes.
  package init(
    parameters: [Parameter], learningRate: Float, stepCount: Int, first: [Tensor], second: [Tensor]
  ) {
    self.parameters = parameters
    self.learningRate = learningRate
    self.stepCount = stepCount
    self.first = first
    self.second = second
  }

  /// The norm of all gradients together; not finite where one is not.
  package var gradientNorm: Double {
    parameters.map { sumOfSquares($0.gradient) }.reduce(0, +).squareRoot()
  }

  /// Moves every parameter and sets the gradients to zero.
  ///
  /// - Parameter clippedTo: gradients whose norm is larger are scaled down to it, as PyTorch's
  ///   `clip_grad_norm_` does.
  /// - Returns: the norm before clipping. Where it is not finite, nothing is changed.
  @discardableResult
  package func step(clippedTo limit: Double? = nil) -> Double {
    let norm = gradientNorm
    guard norm.isFinite else { return norm }
    stepCount += 1
    let scale = limit.map { min(1, $0 / (norm + 1e-6)) } ?? 1
    let correction1 = 1 - power(Self.beta1, stepCount)
    let correction2 = 1 - power(Self.beta2, stepCount)
    let numbers = AdamCoefficients(
      beta1: Float(Self.beta1), beta2: Float(Self.beta2),
      stepSize: learningRate / Float(correction1),
      secondCorrection: Float(correction2.squareRoot()), epsilon: Self.epsilon,
      gradientScale: Float(scale))
    for (index, parameter) in parameters.enumerated() {
      adamUpdate(
        parameter.value, parameter.gradient, first: first[index], second: second[index], numbers)
      parameter.clearGradient()
    }
    return norm
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    pow(base, Double(exponent))
  }
}
