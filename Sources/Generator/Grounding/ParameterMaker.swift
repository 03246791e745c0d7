/// Makes the parameters of a module by name, from a checkpoint or from a seed, and lists them in
/// order.
package final class ParameterMaker {
  /// How a fresh tensor is filled.
  enum Initial {
    /// Normal with the deviation of PyTorch's default for linear layers and convolutions, `1 / √(3 ·
    /// inputs)`.
    case inputs(Int)
    /// Normal of deviation 1.
    case normal
    /// One value.
    case value(Float)
  }

  private enum Source {
    case weights(WeightScope)
    case random(TorchRandom)
  }

  private var source: Source
  private let workspace: Workspace
  /// What is trained, in order.
  private(set) var parameters: [Parameter] = []
  /// What is kept with it: running statistics, singular vectors.
  private(set) var buffers: [(name: String, value: Tensor)] = []

  /// Reads parameters from a checkpoint.
  package init(_ weights: WeightCollection) {
    source = .weights(weights.root)
    workspace = weights.workspace
  }

  /// Draws parameters for a seed.
  package init(seed: UInt64, workspace: Workspace) {
    source = .random(TorchRandom(seed: seed))
    self.workspace = workspace
  }

  /// A trained tensor.
  func parameter(_ name: String, _ shape: [Int], _ initial: Initial) -> Parameter {
    let parameter = Parameter(name: name, value: tensor(name, shape, initial))
    parameters.append(parameter)
    return parameter
  }

  /// A tensor that is not trained.
  func buffer(_ name: String, _ shape: [Int], _ initial: Initial) -> Tensor {
    let value = tensor(name, shape, initial)
    buffers.append((name, value))
    return value
  }

  private func tensor(_ name: String, _ shape: [Int], _ initial: Initial) -> Tensor {
    switch source {
    case .weights(let scope):
      return scope.tensor(name, shape)
    case .random(var random):
      let count = shape.reduce(1, *)
      defer { source = .random(random) }
      let values: [Float] =
        switch initial {
        case .inputs(let inputs):
          random.normals(count).map { $0 / Float(3 * inputs).squareRoot() }
        case .normal: random.normals(count)
        case .value(let value): [Float](repeating: value, count: count)
        }
      return workspace.tensor(values, shape: shape)
    }
  }
}
