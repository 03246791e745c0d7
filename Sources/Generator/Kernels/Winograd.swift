private import CKernels

/// Outputs that one task computes.
private let panelOutputs = 32
/// Floats of transformed pixels that are held at a time: a share of the last-level cache.
private let transformedFloats = 4 << 20
/// Tiles that one task transforms.
private let tileGrain = 8
/// Floats between the 36 planes beyond their size, so that they do not fall on the same cache sets.
private let planePadding = 144
private let planeCount = 36

/// A 3x3 convolution of stride 1 and padding 1 by Winograd F(4x4, 3x3) (Lavin and Gray, CVPR 2016).
///
/// - Parameters:
///   - x: `[batch, height, width, inputs]`, `inputs` a multiple of 16.
///   - w: `[9, inputs, outputs]`, `outputs` a multiple of 16. It is transformed on the fly: a
///     transformed copy would take four times the memory, and reading it four times the traffic.
///
/// One task takes 32 outputs through weight transform, 36 products and inverse transform, so what
/// lies between stays in its own cache.
func winogradConvolution(_ x: Tensor, _ w: Weight, bias: Tensor) -> Tensor {
  let (batch, height, width, inputs) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
  let outputs = w.shape[2]
  precondition(
    w.shape == [9, inputs, outputs] && inputs % 16 == 0 && outputs % 16 == 0
      && bias.count == outputs, "Winograd of \(x.shape) by \(w.shape)")
  let y = x.workspace.tensor([batch, height, width, outputs])
  let (tilesY, tilesX) = ((height + 3) / 4, (width + 3) / 4)
  let tiles = batch * tilesY * tilesX
  let blockTiles = max(16, min(tiles, transformedFloats / (planeCount * inputs)))
  let stride = blockTiles * inputs + planePadding
  let transformed = x.workspace.tensor([planeCount, stride])
  let panels = (outputs + panelOutputs - 1) / panelOutputs
  for first in Swift.stride(from: 0, to: tiles, by: blockTiles) {
    let last = min(first + blockTiles, tiles)
    x.workspace.parallel(last - first, grain: tileGrain) { piece in
      // Safe: tiles [first, last) fit the planes of `transformed`; each piece writes its own.
      unsafe gw_winograd_input(
        x.pointer, height, width, inputs, tilesY, tilesX, first + piece.lowerBound,
        first + piece.upperBound, first, transformed.pointer, stride)
    }
    x.workspace.parallel(panels) { panel in
      let output = panel * panelOutputs
      let width32 = min(panelOutputs, outputs - output)
      let weights = x.workspace.tensor([planeCount, inputs, width32])
      let productStride = (last - first) * width32 + planePadding
      let products = x.workspace.tensor([planeCount, productStride])
      // Safe: all sizes come from the shapes checked above; panels write disjoint outputs of y.
      unsafe gw_winograd_weights(
        w.pointer, w.kind.code, inputs, outputs, output, Int32(width32), weights.pointer)
      for plane in 0..<planeCount {
        unsafe gw_panel_product(
          transformed.pointer + plane * stride, inputs,
          weights.pointer + plane * inputs * width32, products.pointer + plane * productStride,
          width32, last - first, inputs, Int32(width32), 0)
      }
      unsafe gw_winograd_output(
        products.pointer, productStride, Int32(width32), bias.pointer, y.pointer, height, width,
        outputs, output, tilesY, tilesX, first, last)
    }
  }
  return y
}
