/// A trainable tensor: its value, and the gradient that a backward pass adds to.
///
/// The gradient's memory is taken when it is first asked for, so a network that only runs has none.
package final class Parameter {
  /// Its name in a checkpoint.
  package let name: String
  /// Its value; an optimiser changes it in place.
  package let value: Tensor
  private var kept: Tensor?
  private let whole: Parameter?
  private let rows: Range<Int>

  /// Wraps a value, which from now on belongs to this parameter.
  package init(name: String, value: Tensor) {
    self.name = name
    self.value = value
    whole = nil
    rows = 0..<0
  }

  private init(rows: Range<Int>, of whole: Parameter) {
    name = whole.name
    value = whole.value.slice(rows)
    self.whole = whole
    self.rows = rows
  }

  /// Elements `rows` of the outermost axis, sharing value and gradient.
  package func slice(_ rows: Range<Int>) -> Parameter { Parameter(rows: rows, of: self) }

  /// The gradient, of the value's shape; zero until a backward pass adds to it.
  package var gradient: Tensor {
    if let whole { return whole.gradient.slice(rows) }
    if let kept { return kept }
    let fresh = zeros(value)
    kept = fresh
    return fresh
  }

  /// Sets the gradient to zero.
  package func clearGradient() {
    if let kept { fillWithZeros(kept) }
  }
}
