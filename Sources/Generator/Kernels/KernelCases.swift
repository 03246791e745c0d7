/// One kernel at one size: what the tests compare with a naive version and the benchmark times.
package struct KernelCase: Sendable {
  /// What and how large.
  package let name: String
  /// Multiplications and additions of the textbook definition.
  package let flops: Double
  /// Bytes of all inputs and outputs.
  package let bytes: Double
  /// Largest relative error (norm of the difference over norm); float32 rounding over sums of the
  /// case's length, and for Winograd that of its transforms.
  package let tolerance: Double
  /// Random inputs, the same every time.
  package let inputs: @Sendable (Workspace) -> [Tensor]
  /// Prepares the kernel as a loaded layer would, and returns it ready to run.
  package let kernel: @Sendable ([Tensor]) -> @Sendable () -> Tensor
  /// The textbook definition in double precision.
  package let naive: @Sendable ([Tensor]) -> [Double]
}

extension KernelCase {
  /// Sizes for tests: small, and odd where a kernel has edges.
  package static let small: [KernelCase] =
    [(1, 1, 1), (2, 3, 5), (37, 64, 33), (300, 40, 17), (600, 96, 130)].map {
      product(rows: $0, inputs: $1, outputs: $2)
    }
    + [(1, 5, 7, 3, 5, 1), (2, 9, 6, 16, 40, 1), (1, 8, 8, 20, 33, 2)].map {
      convolution(batch: $0, height: $1, width: $2, inputs: $3, outputs: $4, stride: $5)
    }
    + [(1, 4, 4, 16, 16), (2, 13, 10, 32, 48), (1, 33, 17, 16, 80), (1, 6, 9, 240, 32)].map {
      winograd(batch: $0, height: $1, width: $2, inputs: $3, outputs: $4)
    }
    + [(1, 1, 1, 1, 4), (2, 100, 33, 2, 40), (1, 97, 1030, 1, 80), (1, 64, 77, 3, 20)].map {
      attentionCase(batch: $0, queries: $1, keys: $2, heads: $3, depth: $4)
    }
    + [
      causal(batch: 2, tokens: 77, heads: 2, depth: 16),
      causal(batch: 1, tokens: 700, heads: 1, depth: 64),
    ]
    + [(1, 5, 8, 4, false), (2, 300, 48, 16, true)].map {
      norm(batch: $0, pixels: $1, channels: $2, groups: $3, silu: $4)
    }

  /// The sizes that Stable Diffusion 1.5 spends its time on.
  package static let full: [KernelCase] =
    [
      (4096, 320, 320), (4096, 320, 2560), (4096, 1280, 320), (1024, 640, 5120), (256, 1280, 10240),
      (64, 1280, 1280),
    ]
    .map { product(rows: $0, inputs: $1, outputs: $2) }
    + [
      (64, 320, 320), (64, 960, 320), (32, 640, 640), (32, 1920, 640), (16, 1280, 1280),
      (16, 2560, 1280), (8, 1280, 1280), (8, 2560, 1280),
    ]
    .flatMap { side, inputs, outputs in
      [
        winograd(batch: 1, height: side, width: side, inputs: inputs, outputs: outputs),
        convolution(
          batch: 1, height: side, width: side, inputs: inputs, outputs: outputs, stride: 1),
      ]
    }
    + [
      winograd(batch: 1, height: 512, width: 512, inputs: 128, outputs: 128),
      winograd(batch: 1, height: 256, width: 256, inputs: 256, outputs: 256),
      convolution(batch: 1, height: 64, width: 64, inputs: 320, outputs: 320, stride: 2),
      convolution(batch: 1, height: 512, width: 512, inputs: 128, outputs: 3, stride: 1),
    ]
    + [(4096, 4096, 8, 40), (1024, 1024, 8, 80), (4096, 77, 8, 40), (4096, 4096, 1, 512)].map {
      attentionCase(batch: 1, queries: $0, keys: $1, heads: $2, depth: $3)
    }
    + [(4096, 320), (1024, 640), (262144, 128)].map {
      norm(batch: 1, pixels: $0, channels: $1, groups: 32, silu: true)
    }

  private static func random(_ shapes: [[Int]]) -> @Sendable (Workspace) -> [Tensor] {
    { workspace in
      shapes.enumerated().map { index, shape in
        // Uniform in −1…1 from a linear congruence (Knuth's MMIX constants): fast, and never tested
        // for randomness here.
        var state = UInt64(index + 1)
        let values = (0..<shape.reduce(1, *)).map { _ in
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(1 << 31)
        }
        return workspace.tensor(values, shape: shape)
      }
    }
  }

  private static func size(_ shapes: [[Int]]) -> Double {
    shapes.reduce(0) { $0 + Double($1.reduce(4, *)) }
  }

  private static func product(rows: Int, inputs: Int, outputs: Int) -> KernelCase {
    let shapes = [[rows, inputs], [outputs, inputs], [outputs]]
    return KernelCase(
      name: "product \(rows)x\(inputs) to \(outputs)",
      flops: 2 * Double(rows * inputs * outputs), bytes: size(shapes + [[rows, outputs]]),
      tolerance: 2e-6, inputs: random(shapes),
      kernel: { t in { linear(t[0], Weight(sharing: t[1]), bias: t[2]) } },
      naive: { tensors in
        NaiveKernels.linear(
          tensors[0].values, tensors[1].values, tensors[2].values, inputs: inputs)
      })
  }

  private static func convolution(
    batch: Int, height: Int, width: Int, inputs: Int, outputs: Int, stride: Int
  ) -> KernelCase {
    let geometry = ConvolutionGeometry(kernel: 3, stride: stride, padding: 1)
    return convolutionCase(
      "unfolded", [batch, height, width, inputs], outputs, geometry, .unfolded)
  }

  private static func winograd(
    batch: Int, height: Int, width: Int, inputs: Int, outputs: Int
  ) -> KernelCase {
    convolutionCase(
      "winograd", [batch, height, width, inputs], outputs,
      ConvolutionGeometry(kernel: 3, padding: 1), .winograd)
  }

  private static func convolutionCase(
    _ name: String, _ x: [Int], _ outputs: Int, _ geometry: ConvolutionGeometry,
    _ method: ConvolutionMethod
  ) -> KernelCase {
    let shapes = [x, [outputs, x[3], 3, 3], [outputs]]
    let pixels = x[0] * geometry.outputLength(x[1]) * geometry.outputLength(x[2])
    return KernelCase(
      name: "\(name) \(x[0])x\(x[1])x\(x[2])x\(x[3]) to \(outputs) stride \(geometry.stride)",
      flops: 18 * Double(pixels * x[3] * outputs), bytes: size(shapes + [[pixels, outputs]]),
      tolerance: 4e-6, inputs: random(shapes),
      kernel: { tensors in
        let weight = ConvolutionPanels(
          Weight(sharing: tensors[1]), workspace: tensors[1].workspace)
        return {
          convolve(tensors[0], weight, bias: tensors[2], geometry: geometry, method: method)
        }
      },
      naive: { NaiveKernels.convolution($0[0], $0[1], $0[2].values, geometry: geometry) })
  }

  private static func attentionCase(
    batch: Int, queries: Int, keys: Int, heads: Int, depth: Int
  ) -> KernelCase {
    let width = heads * depth
    let shapes = [[batch, queries, width], [batch, keys, width], [batch, keys, width]]
    return KernelCase(
      name: "attention \(batch)x\(queries)x\(keys), \(heads) heads of \(depth)",
      flops: 4 * Double(batch * queries) * Double(keys * width),
      bytes: size(shapes + [shapes[0]]), tolerance: 2e-6, inputs: random(shapes),
      kernel: { t in { attention(t[0], t[1], t[2], heads: heads) } },
      naive: { NaiveKernels.attention($0, heads: heads, isCausal: false) })
  }

  private static func causal(batch: Int, tokens: Int, heads: Int, depth: Int) -> KernelCase {
    let shape = [batch, tokens, heads * depth]
    return KernelCase(
      name: "causal attention \(batch)x\(tokens), \(heads) heads of \(depth)",
      flops: 2 * Double(batch * tokens) * Double(tokens * heads * depth),
      bytes: size([shape, shape, shape, shape]), tolerance: 2e-6,
      inputs: random([shape, shape, shape]),
      kernel: { t in { attention(t[0], t[1], t[2], heads: heads, isCausal: true) } },
      naive: { NaiveKernels.attention($0, heads: heads, isCausal: true) })
  }

  private static func norm(
    batch: Int, pixels: Int, channels: Int, groups: Int, silu: Bool
  ) -> KernelCase {
    let shapes = [[batch, pixels, 1, channels], [channels], [channels]]
    return KernelCase(
      name: "group norm \(batch)x\(pixels)x\(channels)\(silu ? " with SiLU" : "")",
      flops: 8 * Double(batch * pixels * channels), bytes: size([shapes[0], shapes[0]]),
      tolerance: 1e-6, inputs: random(shapes),
      kernel: { t in
        { groupNorm(t[0], weight: t[1], bias: t[2], groups: groups, epsilon: 1e-5, silu: silu) }
      },
      naive: { NaiveKernels.groupNorm($0, groups: groups, epsilon: 1e-5, silu: silu) })
  }
}
