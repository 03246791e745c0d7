import Testing

@testable import Generator

/// Operations of the tape against PyTorch: values to 1e-4, gradients to 1e-3; files by
/// `python/fixtures/make_grounding_fixtures.py`.
@Suite struct GradientFixtureTests {
  private let workspace = Workspace(threadCount: 2)

  /// A fixture's tensors, pictures channels-last, weights as parameters.
  private struct Fixture {
    let name: String
    let tensors: [String: Tensor]

    subscript(key: String) -> Tensor {
      get throws { try #require(tensors[key], "\(name): \(key)") }
    }

    func picture(_ key: String) throws -> Tensor {
      let tensor = try self[key]
      return tensor.shape.count == 4 ? tensor.channelsLast() : tensor
    }

    func parameter(_ key: String) throws -> Parameter {
      Parameter(name: key, value: try self["w.\(key)"].copy())
    }
  }

  private func fixture(_ name: String) throws -> Fixture {
    Fixture(name: name, tensors: try Fixtures.tensors("grounding/\(name)", workspace))
  }

  /// Runs an operation of `x` (and `x2`), and compares its value and all gradients there are.
  private func check(
    _ name: String, parameters: [String] = [],
    _ compute: (Tape, Fixture, Variable, Variable?, [Parameter]) throws -> Variable
  ) throws {
    let fixture = try fixture(name)
    let tape = Tape(isRecording: true)
    let x = tape.input(try fixture.picture("x"))
    let x2 = try fixture.tensors["x2"].map { _ in tape.input(try fixture.picture("x2")) }
    let made = try parameters.map(fixture.parameter)
    let y = try compute(tape, fixture, x, x2, made)
    let expected = try fixture.picture("y").reshaped(y.value.shape)
    try expectNear(y.value, expected, 1e-4, "grounding \(name)")
    tape.backward(from: y, gradient: try fixture.picture("g").reshaped(y.value.shape))
    for (key, variable) in [("d.x", x), ("d.x2", x2 ?? x)] where fixture.tensors[key] != nil {
      try expectNear(
        try #require(tape.gradient(of: variable)), fixture.picture(key), 1e-3,
        "grounding \(name) \(key)")
    }
    for parameter in made {
      try expectNear(
        parameter.gradient, fixture["d.w.\(parameter.name)"], 1e-3,
        "grounding \(name) d.\(parameter.name)")
    }
  }

  @Test("linear layers with and without bias, of one input and of parts")
  func linears() throws {
    try check("linear", parameters: ["weight", "bias"]) { tape, _, x, _, p in
      tape.linear(x, p[0], bias: p[1])
    }
    try check("linear_no_bias", parameters: ["weight"]) { tape, _, x, _, p in
      tape.linear(x, p[0])
    }
    try check("convolution_1x1", parameters: ["weight"]) { tape, _, x, _, p in
      tape.linear(x, p[0])
    }
    let fixture = try fixture("convolution_1x1")
    let tape = Tape(isRecording: true)
    let x = try fixture.picture("x")
    let parts = [0..<5, 5..<12].map { tape.input(channels(x, $0)) }
    let weight = try fixture.parameter("weight")
    let y = tape.linear(parts, weight)
    try expectNear(y.value, fixture.picture("y"), 1e-4, "grounding linear of parts")
    tape.backward(from: y, gradient: try fixture.picture("g"))
    try expectNear(weight.gradient, fixture["d.w.weight"], 1e-3, "grounding linear of parts d.w")
    let dx = joinChannels(
      try #require(tape.gradient(of: parts[0])), try #require(tape.gradient(of: parts[1])))
    try expectNear(dx, fixture.picture("d.x"), 1e-3, "grounding linear of parts d.x")
  }

  @Test("3x3 convolutions by both methods", arguments: ["convolution", "convolution_winograd"])
  func convolutions(name: String) throws {
    let fixture = try fixture(name)
    let tape = Tape(isRecording: true)
    let (x, weight) = (
      tape.input(try fixture.picture("x")), tape.input(try fixture["w.weight"])
    )
    let bias = try fixture.parameter("bias")
    let y = tape.convolution(x, weight: weight, bias: bias)
    try expectNear(y.value, fixture.picture("y"), 1e-4, "grounding \(name)")
    tape.backward(from: y, gradient: try fixture.picture("g"))
    try expectNear(
      try #require(tape.gradient(of: x)), fixture.picture("d.x"), 1e-3, "grounding \(name) d.x")
    try expectNear(
      try #require(tape.gradient(of: weight)), fixture["d.w.weight"], 1e-3,
      "grounding \(name) d.weight")
    try expectNear(bias.gradient, fixture["d.w.bias"], 1e-3, "grounding \(name) d.bias")
  }

  @Test(
    "bilinear resizing up, down and to odd sizes",
    arguments: [("twice", 10, 14), ("odd", 9, 4), ("smaller", 4, 3), ("one", 3, 5)])
  func resizing(name: String, height: Int, width: Int) throws {
    try check("resize_\(name)") { tape, _, x, _, _ in
      tape.resize(x, height: height, width: width)
    }
  }

  @Test("cubic resizing up and down")
  func cubicResizing() throws {
    let fixture = try fixture("cubic")
    for (name, height, width) in [("larger", 12, 9), ("smaller", 3, 2)] {
      let y = interpolate(
        try fixture.picture("x"), rows: AxisWeights(cubicFrom: 5, to: height),
        columns: AxisWeights(cubicFrom: 4, to: width))
      try expectNear(y, fixture.picture(name), 1e-5, "grounding cubic \(name)")
    }
  }

  @Test("patches in unfold's order leave out what fills no square")
  func unfolding() throws {
    // PyTorch's fixture is [batch, patches, values]: rows of ours.
    let fixture = try fixture("unfold")
    let tape = Tape(isRecording: true)
    let x = tape.input(try fixture.picture("x"))
    let y = tape.unfold(x, side: 4)
    try expectNear(y.value, fixture["y"].reshaped(y.value.shape), 0, "grounding unfold")
    tape.backward(from: y, gradient: try fixture["g"].reshaped(y.value.shape))
    try expectNear(
      try #require(tape.gradient(of: x)), fixture.picture("d.x"), 0, "grounding unfold d.x")
  }

  @Test("ReLU, joining channels, layer norm")
  func small() throws {
    try check("relu") { tape, _, x, _, _ in tape.relu(x) }
    try check("join") { tape, _, x, x2, _ in tape.join(x, try #require(x2)) }
    try check("layer_norm", parameters: ["weight", "bias"]) { tape, _, x, _, p in
      tape.layerNorm(x, weight: p[0], bias: p[1])
    }
  }

  @Test("batch norm by the batch moves the running statistics, by the running ones does not")
  func batchNorms() throws {
    for (name, use) in [
      ("batch_norm", NormalizationStatistics.batch), ("batch_norm_running", .running),
    ] {
      var kept: BatchStatistics?
      try check(name) { tape, fixture, x, _, _ in
        let statistics = BatchStatistics(
          mean: try fixture["mean"].copy(), variance: try fixture["variance"].copy())
        kept = statistics
        return tape.batchNorm(x, statistics, use)
      }
      let after = try fixture(name)
      try expectNear(try #require(kept).mean, after["mean_after"], 1e-6, "\(name) mean")
      try expectNear(
        try #require(kept).variance, after["variance_after"], 1e-6, "\(name) variance")
    }
  }

  @Test("spectral norm: one power iteration, a gradient through the singular value")
  func spectralNorm() throws {
    let fixture = try fixture("spectral")
    let tape = Tape(isRecording: true)
    let weight = try fixture.parameter("weight")
    let vectors = SpectralVectors(
      left: try fixture["u0"].copy(), value: workspace.tensor([1], shape: [1]))
    let still = tape.spectrallyNormalized(weight, vectors, isTraining: false)
    #expect(vectors.left.values == (try fixture["u0"].values))
    let y = tape.spectrallyNormalized(weight, vectors, isTraining: true)
    #expect(y.value.values == still.value.values)
    try expectNear(y.value, fixture["y"], 1e-4, "grounding spectral norm")
    tape.backward(from: y, gradient: try fixture["g"])
    try expectNear(weight.gradient, fixture["d.w.weight"], 1e-3, "grounding spectral norm d.w")
    try expectNear(vectors.left, fixture["u0_after"], 1e-5, "grounding spectral norm u0")
    try expectNear(vectors.value, fixture["sv0_after"], 1e-5, "grounding spectral norm sv0")
  }

  @Test("multi-head attention with PyTorch's joined projection")
  func attention() throws {
    try check("attention", parameters: ["in_proj_weight", "out_proj.weight"]) {
      tape, _, x, x2, p in
      let context = try #require(x2)
      let parts = (0..<3).map { p[0].slice($0 * 24..<($0 + 1) * 24) }
      let attended = tape.attention(
        tape.linear(x, parts[0]), tape.linear(context, parts[1]), tape.linear(context, parts[2]),
        heads: 3, segments: [AttentionSegment(queries: 0..<5, keys: 0..<33)])
      return tape.linear(attended, p[1])
    }
  }

  @Test(
    "losses of masks and their gradients, without the pixels that do not count",
    arguments: MaskLoss.allCases)
  func losses(kind: MaskLoss) throws {
    let fixture = try fixture("loss_\(kind.rawValue)")
    let tape = Tape(isRecording: true)
    let x = tape.input(try fixture["x"])
    let (total, losses) = tape.maskLoss(
      x, targets: try fixture["targets"], weights: try fixture["weights"], kind, scale: 0.5)
    let values = workspace.tensor(losses.map { Float($0) }, shape: [3])
    try expectNear(values, fixture["y"], 1e-4, "grounding \(kind.rawValue) loss")
    tape.backward(from: total)
    try expectNear(
      try #require(tape.gradient(of: x)), fixture["d.x"], 1e-3,
      "grounding \(kind.rawValue) loss d.x")
  }

  @Test("Adam with clipped gradients, four steps")
  func adam() throws {
    let fixture = try fixture("adam")
    let parameter = Parameter(name: "w", value: try fixture["value"].copy())
    let optimizer = Adam(parameters: [parameter], learningRate: 0.01)
    for step in 0..<4 {
      copyValues(of: try fixture["gradient\(step)"], to: parameter.gradient)
      let norm = optimizer.step(clippedTo: step == 2 ? 30 : nil)
      #expect(abs(norm - Double(try fixture["norm\(step)"].values[0])) < 1e-3)
      try expectNear(parameter.value, fixture["value\(step)"], 1e-5, "grounding Adam \(step)")
    }
  }
}
