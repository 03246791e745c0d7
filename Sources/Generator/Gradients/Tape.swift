/// A value that a ``Tape`` computes with.
package struct Variable {
  /// The value.
  package let value: Tensor
  /// Where its gradient is gathered; nil for constants and where nothing is recorded.
  let node: GradientNode?

  /// Lengths of the axes.
  var shape: [Int] { value.shape }
}

/// The gradient of one variable, gathered from all that use it.
final class GradientNode {
  private var gradient: Tensor?

  /// Adds a contribution; the tensor may be shared with others and is never written to.
  func add(_ contribution: Tensor) {
    gradient = gradient.map { combine(1, $0, 1, contribution) } ?? contribution
  }

  /// Hands the gradient out and forgets it.
  func take() -> Tensor? {
    defer { gradient = nil }
    return gradient
  }
}

/// Reverse-mode differentiation: computes, remembers how, and then unwinds.
///
/// Each operation computes its value at once and, where it is recorded, leaves a closure that turns
/// the gradient of its result into those of its inputs. ``backward(from:)`` runs the closures from
/// the last to the first and drops each, so an activation's buffer returns to the workspace as soon
/// as its gradient is done. A tape that does not record keeps nothing, so the same code trains and
/// runs.
package final class Tape {
  /// Whether a backward pass will follow.
  package let isRecording: Bool
  private var steps: [() -> Void] = []

  /// An empty tape.
  package init(isRecording: Bool) { self.isRecording = isRecording }

  /// A value without a gradient.
  package func constant(_ value: Tensor) -> Variable { Variable(value: value, node: nil) }

  /// A value with a gradient that ``gradients(of:from:)`` can ask for.
  package func input(_ value: Tensor) -> Variable {
    Variable(value: value, node: isRecording ? GradientNode() : nil)
  }

  /// Notes how the gradient of `value` reaches what it was made of.
  func record(_ value: Tensor, _ backward: @escaping (Tensor) -> Void) -> Variable {
    guard isRecording else { return constant(value) }
    let node = GradientNode()
    steps.append {
      if let gradient = node.take() { backward(gradient) }
    }
    return Variable(value: value, node: node)
  }

  /// Adds the gradients of `result` to the parameters, and empties the tape.
  ///
  /// - Parameter gradient: the gradient of `result` itself; ones when left out.
  package func backward(from result: Variable, gradient: Tensor? = nil) {
    result.node?.add(gradient ?? ones(result.value))
    while let step = steps.popLast() { step() }
  }

  /// The gradients that a backward pass left at inputs made by ``input(_:)``.
  package func gradient(of input: Variable) -> Tensor? { input.node?.take() }
}
