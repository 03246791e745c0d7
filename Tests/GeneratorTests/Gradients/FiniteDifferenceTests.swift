import Testing

@testable import Generator

/// Every gradient against finite differences of its own operation, along a random direction.
@Suite struct FiniteDifferenceTests {
  /// One operation of some inputs, each of which gets a gradient.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let shapes: [[Int]]
    let compute: @Sendable (Tape, [Variable], [Parameter]) -> Variable
    /// Inputs that are parameters of the operation, by index from the end.
    var parameterCount = 0
    var testDescription: String { name }
  }

  static let cases: [Case] =
    [
      Case(
        name: "linear", shapes: [[5, 7], [4, 7], [4]],
        compute: { tape, x, p in
          tape.linear(x[0], p[0], bias: p[1])
        }, parameterCount: 2),
      Case(
        name: "linear of parts", shapes: [[5, 3], [5, 4], [6, 7]],
        compute: { tape, x, p in
          tape.linear([x[0], x[1]], p[0])
        }, parameterCount: 1),
      Case(
        name: "convolution", shapes: [[2, 5, 4, 3], [5, 3, 3, 3], [5]],
        compute: { tape, x, p in
          tape.convolution(x[0], weight: x[1], bias: p[0])
        }, parameterCount: 1),
      Case(
        name: "spectral norm", shapes: [[6, 4, 3, 3]],
        compute: { tape, _, p in
          let workspace = p[0].value.workspace
          let vectors = SpectralVectors(
            left: ones(workspace.tensor([1, 6])), value: ones(workspace.tensor([1])))
          // Iterated until the vectors are the singular ones, to first order constants.
          for _ in 0..<200 {
            _ = Tape(isRecording: false).spectrallyNormalized(p[0], vectors, isTraining: true)
          }
          return tape.spectrallyNormalized(p[0], vectors, isTraining: true)
        }, parameterCount: 1),
      Case(
        name: "batch norm", shapes: [[3, 4, 5, 6]],
        compute: { tape, x, _ in
          tape.batchNorm(x[0], statistics(6, x[0].value.workspace), .batch)
        }),
      Case(
        name: "batch norm, running", shapes: [[3, 4, 5, 6]],
        compute: { tape, x, _ in
          tape.batchNorm(x[0], statistics(6, x[0].value.workspace), .running)
        }),
      Case(
        name: "layer norm", shapes: [[5, 9], [9], [9]],
        compute: { tape, x, p in
          tape.layerNorm(x[0], weight: p[0], bias: p[1])
        }, parameterCount: 2),
      Case(
        name: "attention of two pictures", shapes: [[4, 6], [9, 6], [9, 6]],
        compute: {
          tape, x, _ in
          tape.attention(
            x[0], x[1], x[2], heads: 2,
            segments: [
              AttentionSegment(queries: 0..<1, keys: 0..<5),
              AttentionSegment(queries: 1..<4, keys: 5..<9),
            ])
        }),
      Case(
        name: "resize", shapes: [[2, 5, 3, 4]],
        compute: { tape, x, _ in
          tape.resize(x[0], height: 7, width: 8)
        }),
      Case(
        name: "unfold", shapes: [[2, 5, 4, 3]],
        compute: { tape, x, _ in
          tape.unfold(x[0], side: 2)
        }),
      Case(
        name: "spread", shapes: [[2, 3, 4, 12]],
        compute: { tape, x, _ in
          tape.spread(x[0], side: 2)
        }),
      Case(
        name: "join and add", shapes: [[3, 4], [3, 2]],
        compute: { tape, x, _ in
          tape.add(tape.join(x[0], x[1]), tape.join(x[0], x[1]))
        }),
      Case(name: "ReLU", shapes: [[8, 9]], compute: { tape, x, _ in tape.relu(x[0]) }),
      Case(
        name: "mask products", shapes: [[3, 4], [2, 3, 5, 4]],
        compute: { tape, x, _ in
          tape.maskProducts(x[0], x[1], queries: [0..<1, 1..<3])
        }),
    ]
    + MaskLoss.allCases.map { kind in
      Case(
        name: "loss \(kind.rawValue)", shapes: [[3, 4, 5, 1]],
        compute: { tape, x, _ in
          let values = (0..<60).map { Float($0 * 7 % 5 < 2 ? 1 : 0) }
          let weights = (0..<60).map { Float($0 % 11 == 0 ? 0 : 1) }
          let workspace = x[0].value.workspace
          return tape.maskLoss(
            x[0], targets: workspace.tensor(values, shape: [60]),
            weights: workspace.tensor(weights, shape: [60]), kind, scale: 0.7
          ).total
        })
    }

  private static func statistics(_ channels: Int, _ workspace: Workspace) -> BatchStatistics {
    BatchStatistics(
      mean: workspace.tensor([Float](repeating: 0.3, count: channels), shape: [channels]),
      variance: workspace.tensor([Float](repeating: 1.7, count: channels), shape: [channels]))
  }

  @Test("the gradient is the slope along a random direction", arguments: cases)
  func slopes(_ item: Case) throws {
    let workspace = Workspace(threadCount: 2)
    var random = TorchRandom(seed: 5)
    let values = item.shapes.map { shape in random.normals(shape.reduce(1, *)) }
    let directions = item.shapes.map { shape in random.normals(shape.reduce(1, *)) }
    let variableCount = item.shapes.count - item.parameterCount

    /// The operation `step` along the direction, with what it was computed from.
    func run(_ step: Float) -> (Tape, [Variable], [Parameter], Variable) {
      let tape = Tape(isRecording: step == 0)
      let tensors = zip(item.shapes, zip(values, directions)).map { shape, pair in
        workspace.tensor(zip(pair.0, pair.1).map { $0 + step * $1 }, shape: shape)
      }
      let variables = tensors.prefix(variableCount).map(tape.input)
      let parameters = tensors.dropFirst(variableCount).map { Parameter(name: "p", value: $0) }
      return (tape, variables, parameters, item.compute(tape, variables, parameters))
    }

    let (tape, variables, parameters, y) = run(0)
    let upstream = random.normals(y.value.count)
    tape.backward(from: y, gradient: workspace.tensor(upstream, shape: y.value.shape))
    var slope = 0.0
    let gradients = try variables.map { try #require(tape.gradient(of: $0)).values }
    for (gradient, direction) in zip(gradients + parameters.map(\.gradient.values), directions) {
      for (a, b) in zip(gradient, direction) { slope += Double(a) * Double(b) }
    }
    let step: Float = 2e-3
    var difference = 0.0
    for (index, value) in zip(run(step).3.value.values, run(-step).3.value.values).enumerated() {
      difference += Double(upstream[index]) * Double(value.0 - value.1)
    }
    difference /= 2 * Double(step)
    // Float32 values differ by 1e-7 of themselves, over a step of 4e-3: about 1e-3 of the slope.
    let error = abs(difference - slope) / max(abs(slope), 0.1)
    #expect(error <= 1e-2, "\(item.name): slope \(slope), differences say \(difference)")
    Figures.record("finite differences of \(item.name)", error, 1e-2)
  }
}
