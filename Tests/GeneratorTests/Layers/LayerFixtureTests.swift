import Testing

@testable import Generator

/// Every layer kind against diffusers; files by `python/fixtures/make_fixtures.py`.
@Suite struct LayerFixtureTests {
  private let workspace = Workspace(threadCount: 2)
  private let bound = 1e-5

  /// A fixture's weights as a scope, and its other tensors.
  private struct Fixture {
    let scope: WeightScope
    let collection: WeightCollection
    let tensors: [String: Tensor]

    subscript(name: String) -> Tensor {
      get throws { try #require(tensors[name]) }
    }
  }

  private func fixture(_ name: String) throws -> Fixture {
    let all = try Fixtures.weights("layers/\(name)")
    let weights = Dictionary(
      uniqueKeysWithValues: all.filter { $0.key.hasPrefix("w.") }
        .map { (String($0.key.dropFirst(2)), $0.value) })
    let collection = WeightCollection(weights, name: name, workspace: workspace)
    return Fixture(
      scope: collection.root, collection: collection,
      tensors: all.filter { !$0.key.hasPrefix("w.") }.mapValues { $0.tensor(workspace) })
  }

  private func check(_ name: String, _ compute: (Fixture) throws -> Tensor) throws {
    let fixture = try fixture(name)
    let y = try compute(fixture)
    try fixture.collection.finish()
    try expectNear(y, fixture["y"], bound, "layer \(name)")
  }

  @Test("linear layers and 1x1 convolutions are matrix products")
  func linearLayers() throws {
    try check("linear") { try Linear($0.scope, inputs: 19, outputs: 21)($0["input"]) }
    try check("conv_1x1") {
      try Linear($0.scope, inputs: 16, outputs: 20)($0["input"].channelsLast()).channelsFirst()
    }
  }

  @Test(
    "3x3 convolutions agree by every method",
    arguments: [
      ("conv_3x3_winograd", 16, 48, ConvolutionMethod.winograd),
      ("conv_3x3_winograd", 16, 48, .unfolded), ("conv_3x3_odd", 6, 9, .unfolded),
    ])
  func convolutions(name: String, inputs: Int, outputs: Int, method: ConvolutionMethod) throws {
    try check(name) { fixture in
      let weight = ConvolutionPanels(
        fixture.scope.weight("weight", [outputs, inputs, 3, 3]), workspace: workspace)
      return try convolve(
        fixture["input"].channelsLast(), weight, bias: fixture.scope.tensor("bias", [outputs]),
        geometry: ConvolutionGeometry(kernel: 3, padding: 1), method: method
      ).channelsFirst()
    }
  }

  @Test("downsampling pads on all sides in the U-Net, right and below in the autoencoder")
  func downsampling() throws {
    for (name, key, geometry) in [
      ("conv_3x3_stride2", "input", ConvolutionGeometry(kernel: 3, stride: 2, padding: 1)),
      (
        "downsample_vae", "hidden_states",
        ConvolutionGeometry(kernel: 3, stride: 2, paddingBefore: 0, paddingAfter: 1)
      ),
    ] {
      try check(name) {
        let scope = $0.scope.has("conv.weight") ? $0.scope["conv"] : $0.scope
        return try Convolution(scope, inputs: 16, outputs: 16, geometry: geometry)(
          $0[key].channelsLast()
        ).channelsFirst()
      }
    }
  }

  @Test("upsampling repeats pixels before its convolution")
  func upsampling() throws {
    try check("upsample") {
      let x = try $0["hidden_states"].channelsLast()
      return Convolution($0.scope["conv"], inputs: 16, outputs: 16)(
        upsampleNearest(x, height: 10, width: 12)
      ).channelsFirst()
    }
  }

  @Test("group norm survives a mean a hundred deviations away")
  func groupNorms() throws {
    try check("group_norm") {
      try GroupNorm($0.scope, channels: 16, groups: 4, epsilon: 1e-5)($0["input"].channelsLast())
        .channelsFirst()
    }
    // The input itself has 24 bits for a mean of 300, so the reference is no better than 3e-5.
    let far = try fixture("group_norm_far_mean")
    let y = try GroupNorm(far.scope, channels: 16, groups: 4, epsilon: 1e-6)(
      far["input"].channelsLast())
    try expectNear(y.channelsFirst(), far["y"], 5e-5, "layer group_norm_far_mean")
  }

  @Test("layer norm normalises rows")
  func layerNorms() throws {
    try check("layer_norm") { try LayerNorm($0.scope, channels: 37)($0["input"]) }
  }

  @Test(
    "activations agree from far left to far right",
    arguments: [
      ("silu", Activation.silu), ("gelu", .gelu), ("quick_gelu", .quickGELU), ("relu", .relu),
    ])
  func activations(name: String, activation: Activation) throws {
    try check(name) { try activate($0["input"], activation) }
  }

  @Test("GEGLU gates with the second half")
  func gated() throws {
    try check("geglu") {
      try geglu(Linear($0.scope["proj"], inputs: 12, outputs: 40)($0["hidden_states"]))
    }
  }

  @Test("resnet blocks with a time embedding and with a shortcut")
  func resnets() throws {
    try check("resnet") {
      let time = try activate($0["temb"], .silu)
      return try ResnetBlock(
        $0.scope, inputs: 16, outputs: 16, timeChannels: 24, groups: 4, epsilon: 1e-6)(
          $0["input_tensor"].channelsLast(), time: time
        ).channelsFirst()
    }
    try check("resnet_shortcut") {
      try ResnetBlock(
        $0.scope, inputs: 16, outputs: 32, timeChannels: nil, groups: 4, epsilon: 1e-6)(
          $0["input_tensor"].channelsLast()
        ).channelsFirst()
    }
  }

  @Test("attention to itself and to a context")
  func attentions() throws {
    let zero = workspace.tensor([Float](repeating: 0, count: 2 * 70 * 24), shape: [2, 70, 24])
    try check("self_attention") {
      let x = try $0["hidden_states"]
      return AttentionLayer($0.scope, channels: 24, contextChannels: 24, heads: 3)(
        x, context: x, residual: zero)
    }
    try check("cross_attention") {
      try AttentionLayer($0.scope, channels: 24, contextChannels: 12, heads: 3)(
        $0["hidden_states"], context: $0["encoder_hidden_states"],
        residual: zero.reshaped([140, 24]).slice(0..<100)
      )
      .reshaped([2, 50, 24])
    }
  }

  @Test("transformer blocks, and spatial transformers with both kinds of projection")
  func transformers() throws {
    try check("transformer_block") {
      try TransformerBlock($0.scope, channels: 16, contextChannels: 12, heads: 2)(
        $0["hidden_states"], context: $0["encoder_hidden_states"])
    }
    for name in ["spatial_transformer_conv", "spatial_transformer_linear"] {
      try check(name) {
        try SpatialTransformer(
          $0.scope, channels: 16, contextChannels: 12, heads: 2, groups: 4, blockCount: 1)(
            $0["hidden_states"].channelsLast(), context: $0["encoder_hidden_states"]
          ).channelsFirst()
      }
    }
  }

  @Test("time embeddings, with and without guidance, from their sinusoids")
  func timeEmbeddings() throws {
    let sinusoids = try fixture("sinusoids")
    for (name, timestep, shift) in [
      ("t981", Float(981), Float(0)), ("t1", 1, 0), ("shifted", 3, 1),
    ] {
      let row = sinusoidalEmbedding(
        timestep, dimension: 16, cosineFirst: name != "shifted", frequencyShift: shift)
      try expectNear(
        workspace.tensor(row, shape: [1, 16]), sinusoids[name], bound, "layer sinusoids \(name)")
    }
    try check("time_embedding") {
      TimestepEmbedding(
        $0.scope, dimension: 16, channels: 24, cosineFirst: true, frequencyShift: 0,
        conditionChannels: nil)(981, batch: 1, guidance: nil, workspace: workspace)
    }
    try check("time_embedding_guidance") {
      try TimestepEmbedding(
        $0.scope, dimension: 16, channels: 24, cosineFirst: true, frequencyShift: 0,
        conditionChannels: 10)(981, batch: 1, guidance: $0["condition"], workspace: workspace)
    }
  }
}
