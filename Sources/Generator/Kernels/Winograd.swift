private import CKernels

/// Floats of transformed pixels that are held at a time: a share of the last-level cache.
private let transformedFloats = 4 << 20
/// Inputs whose weights are transformed at a time: 36 planes of them for 32 outputs take half a
/// megabyte, and so stay in a core's second-level cache until they are used.
private let weightInputs = 112
/// Tiles that one task transforms.
private let tileGrain = 8
/// Floats between the 36 planes beyond their size, so that they do not fall on the same cache sets.
private let planePadding = 144
private let planeCount = 36

/// A 3x3 convolution of stride 1 and padding 1 by Winograd F(4x4, 3x3) (Lavin and Gray, CVPR 2016).
///
/// - Parameters:
///   - x: `[batch, height, width, inputs]`, `inputs` a multiple of 16.
///   - w: a weight whose outputs are a multiple of 16. It is transformed on the fly: a transformed
///     copy would take four times the memory, and reading it four times the traffic.
///
/// One task takes 32 outputs through weight transform, 36 products and inverse transform, so what
/// lies between stays in its own cache.
func winogradConvolution(_ x: Tensor, _ w: ConvolutionPanels, bias: Tensor) -> Tensor {
  let (batch, height, width, inputs) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
  let outputs = w.outputs
  precondition(
    w.taps == 9 && inputs % 16 == 0 && outputs % 16 == 0,
    "Winograd of \(x.shape) to \(outputs) with \(w.taps) taps")
  let y = x.workspace.tensor([batch, height, width, outputs])
  let (tilesY, tilesX) = ((height + 3) / 4, (width + 3) / 4)
  let tiles = batch * tilesY * tilesX
  let blockTiles = max(16, min(tiles, transformedFloats / (planeCount * inputs)))
  let stride = blockTiles * inputs + planePadding
  let transformed = x.workspace.tensor([planeCount, stride])
  for first in Swift.stride(from: 0, to: tiles, by: blockTiles) {
    let last = min(first + blockTiles, tiles)
    x.workspace.parallel(last - first, grain: tileGrain) { piece in
      // Safe: tiles [first, last) fit the planes of `transformed`; each piece writes its own.
      unsafe gw_winograd_input(
        x.pointer, height, width, inputs, tilesY, tilesX, first + piece.lowerBound,
        first + piece.upperBound, first, transformed.pointer, stride)
    }
    x.workspace.parallel(w.count) { panel in
      let output = panel * ConvolutionPanels.width
      let columns = w.width(of: panel)
      // In pieces, the products are read and written again for each: that pays while they are
      // smaller than the weights.
      let step = last - first < weightInputs ? weightInputs : inputs
      let weights = x.workspace.tensor([planeCount, step, columns])
      let productStride = (last - first) * columns + planePadding
      let products = x.workspace.tensor([planeCount, productStride])
      // Safe: all sizes come from the shapes checked above; panels write disjoint outputs of y.
      for input in Swift.stride(from: 0, to: inputs, by: step) {
        let count = min(step, inputs - input)
        unsafe SwiftKernels.winogradWeights(
          w.values.pointer, w.values.kind.code, w.start(of: panel), inputs, input, count, columns,
          weights.pointer)
        for plane in 0..<planeCount {
          unsafe gw_panel_product(
            transformed.pointer + plane * stride + input, inputs,
            weights.pointer + plane * count * columns, products.pointer + plane * productStride,
            columns, last - first, count, Int32(columns), input == 0 ? 0 : 1)
        }
      }
      unsafe gw_winograd_output(
        products.pointer, productStride, Int32(columns), bias.pointer, y.pointer, height, width,
        outputs, output, tilesY, tilesX, first, last)
    }
  }
  return y
}
