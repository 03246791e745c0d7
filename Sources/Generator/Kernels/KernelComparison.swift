private import CKernels

/// The instructions that kernels written in C may use.
package enum KernelLevel: String, Sendable, CaseIterable {
  /// What any x86-64 has, or any arm64.
  case baseline
  case avx2
  case avx512

  private var code: Int32 {
    switch self {
    case .baseline: Int32(GW_BASELINE)
    case .avx2: Int32(GW_AVX2)
    case .avx512: Int32(GW_AVX512)
    }
  }

  /// Lets kernels of the whole process use this level at most.
  ///
  /// - Returns: the level in use, which is lower where the machine has no more.
  @discardableResult
  package static func limit(_ most: KernelLevel) -> KernelLevel {
    let code = gw_limit_level(most.code)
    return allCases.first { $0.code == code } ?? .baseline
  }
}

/// A kernel written in C beside the same kernel in Swift, on values of a size that occurs.
struct KernelComparison: Sendable {
  /// A kernel is written in C only where it is more than this many times as fast as in Swift.
  static let requiredRatio = 1.3

  /// The name of the C function, and what it works on.
  let name: String
  /// How many passes take some hundred microseconds.
  let passes: Int
  /// Makes the values, and returns both versions and what each has written.
  let prepare: @Sendable (Workspace) -> Versions

  /// Both versions, on values of their own.
  struct Versions {
    let c: () -> Void
    let swift: () -> Void
    let results: () -> (c: [Float], swift: [Float])
  }

  /// Uniform values in −1…1.
  private static func values(_ workspace: Workspace, _ count: Int, seed: UInt64 = 1) -> Tensor {
    var state = seed
    return workspace.tensor(
      (0..<count).map { _ in
        // Knuth's MMIX congruence.
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(1 << 31)
      }, shape: [count])
  }

  private static func make(
    _ workspace: Workspace, outputs: Int, filledWith fill: Float? = nil,
    c: @escaping (Tensor) -> Void, swift: @escaping (Tensor) -> Void
  ) -> Versions {
    let start = [Float](repeating: fill ?? 0, count: outputs)
    let (one, two) = (
      workspace.tensor(start, shape: [outputs]), workspace.tensor(start, shape: [outputs])
    )
    return Versions(
      c: { c(one) }, swift: { swift(two) }, results: { (one.values, two.values) })
  }

  // Safe throughout: every tensor has as many values as the sizes passed beside it say.
  static let all: [KernelComparison] =
    [32, 16].map { width in
      KernelComparison(name: "gw_panel_product 96x256x\(width)", passes: 20) { workspace in
        let (a, b) = (values(workspace, 96 * 256), values(workspace, 256 * width, seed: 2))
        return make(
          workspace, outputs: 96 * width,
          c: { y in
            unsafe gw_panel_product(
              a.pointer, 256, b.pointer, y.pointer, width, 96, 256, Int32(width), 0)
          },
          swift: { y in
            unsafe SwiftKernels.panelProduct(
              a.pointer, 256, b.pointer, y.pointer, width, 96, 256, width, false)
          })
      }
    } + convolutions + softmax + elementwise + weights

  private static let convolutions: [KernelComparison] = [
    KernelComparison(name: "gw_winograd_input 8 tiles of 320", passes: 20) { workspace in
      let image = values(workspace, 64 * 64 * 320)
      let stride = 8 * 320 + 144
      return make(
        workspace, outputs: 36 * stride,
        c: { y in
          unsafe gw_winograd_input(
            image.pointer, 64, 64, 320, 16, 16, 12, 20, 12, y.pointer, stride)
        },
        swift: { y in
          unsafe SwiftKernels.winogradInput(
            image.pointer, 64, 64, 320, 16, 16, 12..<20, y.pointer, stride)
        })
    },
    KernelComparison(name: "gw_winograd_output 64 tiles of 32", passes: 20) { workspace in
      let stride = 64 * 32 + 144
      let (m, bias) = (values(workspace, 36 * stride), values(workspace, 32, seed: 2))
      return make(
        workspace, outputs: 64 * 64 * 32,
        c: { y in
          unsafe gw_winograd_output(
            m.pointer, stride, 32, bias.pointer, y.pointer, 64, 64, 32, 0, 16, 16, 8, 72)
        },
        swift: { y in
          unsafe SwiftKernels.winogradOutput(
            m.pointer, stride, 32, bias.pointer, y.pointer, 64, 64, 32, 0, 16, 16, 8..<72)
        })
    },
  ]

  private static let softmax = [
    KernelComparison(name: "gw_softmax_block 96x512", passes: 10) { workspace in
      let scores = values(workspace, 96 * 512)
      func version(
        _ y: Tensor, _ body: (Tensor, Tensor, Tensor, Tensor) -> Void
      ) {
        let (maximum, sum, out) = (
          workspace.tensor([Float](repeating: -.infinity, count: 96), shape: [96]),
          workspace.tensor([Float](repeating: 0, count: 96), shape: [96]),
          workspace.tensor([Float](repeating: 0, count: 96 * 48), shape: [96, 48])
        )
        unsafe y.pointer.update(from: scores.pointer, count: scores.count)
        body(y, maximum, sum, out)
      }
      return make(
        workspace, outputs: 96 * 512,
        c: { y in
          version(y) { y, maximum, sum, out in
            unsafe gw_softmax_block(
              y.pointer, 512, 96, 512, 0, 0, 0.2, maximum.pointer, sum.pointer, out.pointer, 48, 48)
          }
        },
        swift: { y in
          version(y) { y, maximum, sum, out in
            unsafe SwiftKernels.softmaxBlock(
              y.pointer, 512, 96, 512, 0.2, maximum.pointer, sum.pointer, out.pointer, 48, 48)
          }
        })
    }
  ]

  private static let elementwise: [KernelComparison] = [
    KernelComparison(name: "gw_channel_sums 128x320", passes: 20) { workspace in
      let x = values(workspace, 128 * 320)
      return make(
        workspace, outputs: 640,
        c: { y in
          unsafe gw_channel_sums(x.pointer, 128, 320, x.pointer, y.pointer, y.pointer + 320)
        },
        swift: { y in
          unsafe SwiftKernels.channelSums(
            x.pointer, 128, 320, x.pointer, y.pointer, y.pointer + 320)
        })
    },
    KernelComparison(name: "gw_scale_shift 128x320 with SiLU", passes: 10) { workspace in
      let (x, scale, shift) = (
        values(workspace, 128 * 320), values(workspace, 320, seed: 2), values(workspace, 320)
      )
      return make(
        workspace, outputs: 128 * 320,
        c: { y in
          unsafe gw_scale_shift(x.pointer, 128, 320, scale.pointer, shift.pointer, 1, y.pointer)
        },
        swift: { y in
          unsafe SwiftKernels.scaleShift(
            x.pointer, 128, 320, scale.pointer, shift.pointer, y.pointer)
        })
    },
    KernelComparison(name: "gw_layer_norm 64x320", passes: 20) { workspace in
      let (x, weight, bias) = (
        values(workspace, 64 * 320), values(workspace, 320, seed: 2), values(workspace, 320)
      )
      return make(
        workspace, outputs: 64 * 320,
        c: { y in
          unsafe gw_layer_norm(x.pointer, 64, 320, weight.pointer, bias.pointer, 1e-5, y.pointer)
        },
        swift: { y in
          unsafe SwiftKernels.layerNorm(
            x.pointer, 64, 320, weight.pointer, bias.pointer, 1e-5, y.pointer)
        })
    },
    activation("SiLU", Int32(GW_SILU)), activation("GELU", Int32(GW_GELU)),
    KernelComparison(name: "gw_geglu 32x1280", passes: 10) { workspace in
      let x = values(workspace, 32 * 2560)
      return make(
        workspace, outputs: 32 * 1280,
        c: { y in unsafe gw_geglu(x.pointer, 32, 1280, y.pointer) },
        swift: { y in unsafe SwiftKernels.geglu(x.pointer, 32, 1280, y.pointer) })
    },
  ]

  private static func activation(_ name: String, _ kind: Int32) -> KernelComparison {
    KernelComparison(name: "gw_activate 32768, \(name)", passes: 10) { workspace in
      let x = values(workspace, 32768)
      return make(
        workspace, outputs: 32768,
        c: { y in unsafe gw_activate(x.pointer, 32768, kind, y.pointer) },
        swift: { y in
          unsafe SwiftKernels.activate(
            x.pointer, 32768, isGELU: kind == Int32(GW_GELU), y.pointer)
        })
    }
  }

  private static let weights = [("float16", Int32(GW_FLOAT16)), ("bfloat16", Int32(GW_BFLOAT16))]
    .map { name, kind in
      KernelComparison(name: "gw_widen 8192 of \(name)", passes: 50) { workspace in
        let w = halves(workspace, 8192)
        return make(
          workspace, outputs: 8192,
          c: { y in unsafe gw_widen(w.pointer, kind, 0, 8192, y.pointer) },
          swift: { y in unsafe SwiftKernels.widen(w.pointer, kind, 8192, y.pointer) })
      }
    }

  /// Values of two bytes, positive and of middling size in either kind.
  private static func halves(_ workspace: Workspace, _ count: Int) -> Tensor {
    let words = (0..<count / 2).map { index in
      let word = UInt32(0x3C00 + index % 512)
      return Float(bitPattern: word << 16 | (word + 1))
    }
    return workspace.tensor(words, shape: [count / 2])
  }

  /// Seconds of the fastest of `runs` alternating measurements of each version.
  func measure(_ workspace: Workspace, runs: Int) -> (c: Double, swift: Double) {
    let versions = prepare(workspace)
    var best = (c: Double.infinity, swift: Double.infinity)
    for _ in 0...runs {
      best.c = min(best.c, time(versions.c))
      best.swift = min(best.swift, time(versions.swift))
    }
    return (best.c / Double(passes), best.swift / Double(passes))
  }

  private func time(_ body: () -> Void) -> Double {
    let started = ContinuousClock.now
    for _ in 0..<passes { body() }
    return seconds(since: started)
  }
}
