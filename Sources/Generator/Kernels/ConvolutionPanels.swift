/// The weight of a convolution in the order in which it is read: panels of 32 outputs (the last may
/// be 16 wide, and zeros fill it up), each `[taps, inputs, width]`.
///
/// A task that computes one panel of outputs then reads its weights from end to end. Read from
/// `[taps, inputs, outputs]` instead, lines of 128 bytes that lie kilobytes apart, an 8x8 convolution
/// of 1280 channels ran at a fifth of the memory's speed.
package struct ConvolutionPanels: Sendable {
  static let width = 32

  let taps: Int
  let inputs: Int
  let outputs: Int
  let values: Weight

  /// Rearranges a weight `[outputs, inputs, height, width]`, whose pages are then let go.
  package init(_ weight: Weight, workspace: Workspace) {
    guard !weight.isMissing else {
      (taps, inputs, outputs, values) = (0, 0, 0, weight)
      return
    }
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    let taps = weight.shape[2] * weight.shape[3]
    let padded = Self.paddedOutputs(outputs)
    let memory = Weight.Memory(bytes: taps * inputs * padded * weight.kind.bytes)
    workspace.parallel((outputs + Self.width - 1) / Self.width) { panel in
      let output = panel * Self.width
      let width = min(Self.width, padded - output)
      let count = min(width, outputs - output)
      // Safe: panels are disjoint parts of a buffer made for all of them, and words of the values'
      // size are only moved.
      let target = unsafe memory.pointer + output * taps * inputs * weight.kind.bytes
      if weight.kind.bytes == 4 {
        unsafe SwiftKernels.convolutionPanel(
          weight.pointer.assumingMemoryBound(to: UInt32.self), inputs, taps, output, count, width,
          target.assumingMemoryBound(to: UInt32.self))
      } else {
        unsafe SwiftKernels.convolutionPanel(
          weight.pointer.assumingMemoryBound(to: UInt16.self), inputs, taps, output, count, width,
          target.assumingMemoryBound(to: UInt16.self))
      }
    }
    weight.forget()
    (self.taps, self.inputs, self.outputs) = (taps, inputs, outputs)
    values = Weight(
      shape: [taps, inputs, padded], kind: weight.kind, source: .memory(memory))
  }

  private static func paddedOutputs(_ outputs: Int) -> Int {
    let rest = outputs % width
    return outputs - rest + (rest == 0 ? 0 : rest <= 16 ? 16 : width)
  }

  /// How many panels there are.
  var count: Int { (outputs + Self.width - 1) / Self.width }

  /// Columns of a panel: 32, or 16 for the last.
  func width(of panel: Int) -> Int {
    min(Self.width, Self.paddedOutputs(outputs) - panel * Self.width)
  }

  /// Where a panel starts, in values.
  func start(of panel: Int) -> Int { panel * Self.width * taps * inputs }
}
