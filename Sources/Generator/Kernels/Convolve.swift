private import CKernels

/// How a convolution is computed; all give the same values up to rounding.
package enum ConvolutionMethod: Sendable {
  /// Rows of the unfolded picture times packed panels of weights, in blocks that stay in cache.
  case unfolded
  /// Winograd F(4x4, 3x3): 36 products per 16 pixels instead of 144, for 3x3 kernels of stride 1.
  case winograd
}

/// Numbers of a convolution that are not in its weight.
package struct ConvolutionGeometry: Sendable, Equatable {
  /// Lengths of the kernel along both axes.
  package let kernel: Int
  /// Pixels from one output to the next.
  package let stride: Int
  /// Zero rows above, and as many columns to the left.
  package let paddingBefore: Int
  /// Zero rows below, and as many columns to the right.
  package let paddingAfter: Int

  /// Creates a geometry; a padding of the same size on all sides.
  package init(kernel: Int, stride: Int = 1, padding: Int = 0) {
    self.init(kernel: kernel, stride: stride, paddingBefore: padding, paddingAfter: padding)
  }

  /// Creates a geometry.
  package init(kernel: Int, stride: Int, paddingBefore: Int, paddingAfter: Int) {
    self.kernel = kernel
    self.stride = stride
    self.paddingBefore = paddingBefore
    self.paddingAfter = paddingAfter
  }

  /// Outputs along an axis of `length` pixels.
  package func outputLength(_ length: Int) -> Int {
    (length + paddingBefore + paddingAfter - kernel) / stride + 1
  }
}

/// The method for a shape, by measurement (`groundwell-generator bench kernels`): Winograd from
/// `winogradMinimumTiles` tiles on, below which transforming the weights costs more than it saves.
func convolutionMethod(
  _ geometry: ConvolutionGeometry, batch: Int, height: Int, width: Int, inputs: Int, outputs: Int
) -> ConvolutionMethod {
  let tiles = batch * ((height + 3) / 4) * ((width + 3) / 4)
  let isWinograd =
    geometry == ConvolutionGeometry(kernel: 3, padding: 1) && inputs % 16 == 0
    && outputs % 16 == 0 && tiles >= winogradMinimumTiles
  return isWinograd ? .winograd : .unfolded
}

/// See ``convolutionMethod(_:batch:height:width:inputs:outputs:)``.
private let winogradMinimumTiles = 12

/// Convolves `x` `[batch, height, width, inputs]` and adds `bias` `[outputs]`.
///
/// - Returns: `[batch, height', width', outputs]`.
func convolve(
  _ x: Tensor, _ w: ConvolutionPanels, bias: Tensor, geometry: ConvolutionGeometry,
  method: ConvolutionMethod
) -> Tensor {
  precondition(
    x.shape.count == 4 && x.shape[3] == w.inputs && bias.count == w.outputs
      && w.taps == geometry.kernel * geometry.kernel,
    "convolution of \(x.shape) with \(w.inputs) inputs and \(w.taps) taps")
  return switch method {
  case .unfolded: unfoldedConvolution(x, w, bias: bias, geometry: geometry)
  case .winograd: winogradConvolution(x, w, bias: bias)
  }
}

/// Depth that is multiplied at a time, so that a panel's part stays in the first-level cache.
private let panelDepth = 256
/// Floats of the unfolded picture that are made at a time.
private let unfoldedFloats = 1 << 21

private func unfoldedConvolution(
  _ x: Tensor, _ w: ConvolutionPanels, bias: Tensor, geometry: ConvolutionGeometry
) -> Tensor {
  let (batch, height, width, inputs) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
  let (outHeight, outWidth) = (geometry.outputLength(height), geometry.outputLength(width))
  let y = x.workspace.tensor([batch, outHeight, outWidth, w.outputs])
  let rows = batch * outHeight * outWidth
  let depth = w.taps * inputs
  let blockRows = max(32, min(rows, unfoldedFloats / depth))
  let unfolded = x.workspace.tensor([blockRows, depth])
  for start in stride(from: 0, to: rows, by: blockRows) {
    let count = min(blockRows, rows - start)
    x.workspace.parallel(count, grain: 32) { piece in
      // Safe: the piece lies inside both tensors.
      unsafe SwiftKernels.unfold(
        x.pointer, height: height, width: width, channels: inputs, geometry: geometry,
        rows: start + piece.lowerBound..<start + piece.upperBound,
        unfolded.pointer + piece.lowerBound * depth)
    }
    // With few panels, the rows are split too, so that every thread has work.
    let parts = w.count >= 2 * x.workspace.threadCount ? 1 : 2 * x.workspace.threadCount
    let partRows = (count + parts - 1) / parts
    x.workspace.parallel(w.count * parts) { task in
      let part = task / w.count
      let range = min(part * partRows, count)..<min((part + 1) * partRows, count)
      guard !range.isEmpty else { return }
      unfoldedPanel(
        unfolded, w, bias: bias, rows: range, panel: task % w.count, into: y,
        firstRow: start + range.lowerBound)
    }
  }
  return y
}

/// One panel of outputs for `rows` of the unfolded picture.
private func unfoldedPanel(
  _ unfolded: Tensor, _ w: ConvolutionPanels, bias: Tensor, rows: Range<Int>, panel: Int,
  into y: Tensor, firstRow: Int
) {
  let (depth, column) = (unfolded.shape[1], panel * ConvolutionPanels.width)
  let panelWidth = w.width(of: panel)
  let width = min(panelWidth, w.outputs - column)
  let isWhole = width == panelWidth
  let isWide = w.values.kind == .float32
  let widened = y.workspace.tensor([isWide ? 0 : panelDepth, panelWidth])
  // A panel that sticks out beyond the outputs is computed aside.
  let aside = y.workspace.tensor([isWhole ? 0 : rows.count, panelWidth])
  // Safe: rows, columns and depths stay inside the tensors, whose shapes `convolve` checked.
  withExtendedLifetime((widened, aside)) {
    let out = unsafe isWhole ? y.pointer + firstRow * w.outputs + column : aside.pointer
    let stride = isWhole ? w.outputs : panelWidth
    for start in Swift.stride(from: 0, to: depth, by: panelDepth) {
      let count = min(panelDepth, depth - start)
      let first = w.start(of: panel) + start * panelWidth
      var weights = unsafe UnsafePointer(widened.pointer)
      if isWide {
        unsafe weights = w.values.pointer.assumingMemoryBound(to: Float.self) + first
      } else {
        unsafe gw_widen(
          w.values.pointer, w.values.kind.code, first, count * panelWidth, widened.pointer)
      }
      unsafe gw_panel_product(
        unfolded.pointer + rows.lowerBound * depth + start, depth, weights, out, stride,
        rows.count, count, Int32(panelWidth), start == 0 ? 0 : 1)
    }
    for row in 0..<rows.count {
      let target = unsafe y.pointer + (firstRow + row) * w.outputs + column
      if !isWhole { unsafe target.update(from: out + row * stride, count: width) }
      unsafe SwiftKernels.add(bias.pointer + column, width, target)
    }
  }
}
