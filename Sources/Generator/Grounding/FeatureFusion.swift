/// Turns the features of all levels into one map at the finest level's size: each level through a
/// 1x1 convolution, then from coarse to fine enlarged, joined with the next and mixed.
///
/// Li et al., "Open-vocabulary Object Segmentation with Diffusion Models", ICCV 2023, the "visual
/// encoder". The paper resizes before the 1x1 convolutions; both are linear, the order does not
/// change the result, and this one needs a quarter of the products and no joined copy.
struct FeatureFusion {
  private let projections: [Parameter]
  private let mixers: [MixBlock]

  /// Names of the levels, coarsest first, as the published checkpoint has them.
  static func names(_ count: Int) -> [String] {
    let published = ["low", "mid", "high", "highest"]
    let coarser = (0..<max(0, count - published.count)).map { "lower\($0 + 1)" }
    return Array((coarser.reversed() + published).suffix(count))
  }

  init(_ make: ParameterMaker, _ configuration: GroundingConfiguration) {
    let names = Self.names(configuration.levels.count)
    projections = zip(names, configuration.levels).map { name, level in
      make.parameter(
        "\(name)_feature_conv.0.weight", [level.outputs, level.inputs, 1, 1],
        .inputs(level.inputs))
    }
    var channels = configuration.levels[0].outputs
    var mixers: [MixBlock] = []
    for (name, level) in zip(names, configuration.levels).dropFirst() {
      channels += level.outputs
      mixers.append(
        MixBlock(
          make, "\(name)_feature_mix_conv", channels: channels,
          usesRectifiedResidual: configuration.usesRectifiedResidual))
    }
    self.mixers = mixers
  }

  /// `[batch, height, width, channels]`, the fused features.
  func callAsFunction(
    _ features: DiffusionFeatures, _ tape: Tape, _ statistics: NormalizationStatistics
  ) -> Variable {
    let levels = zip(features.levels, projections).map { blocks, weight in
      tape.linear(blocks.map(tape.constant), weight)
    }
    // Every level but the finest is first brought to the size of the next.
    func size(_ level: Int) -> [Int] { levels[min(level + 1, levels.count - 1)].shape }
    func resized(_ x: Variable, _ level: Int) -> Variable {
      tape.resize(x, height: size(level)[1], width: size(level)[2])
    }
    var x = resized(levels[0], 0)
    for (index, mixer) in mixers.enumerated() {
      let next = resized(levels[index + 1], index + 1)
      x = tape.join(resized(x, index + 1), next)
      x = mixer(x, tape, statistics)
    }
    return x
  }
}

/// Two normalised 3x3 convolutions around a shortcut; weights are divided by their singular value.
///
/// The published code's `SegBlock` without change of size or channels.
struct MixBlock {
  private let statistics: [BatchStatistics]
  private let convolutions: [NormalizedConvolution]
  private let usesRectifiedResidual: Bool

  init(
    _ make: ParameterMaker, _ name: String, channels: Int, usesRectifiedResidual: Bool
  ) {
    statistics = [1, 2].map { number in
      BatchStatistics(
        mean: make.buffer("\(name).stored_mean\(number)", [channels], .value(0)),
        variance: make.buffer("\(name).stored_var\(number)", [channels], .value(1)))
    }
    convolutions = [1, 2].map {
      NormalizedConvolution(make, "\(name).conv\($0)", channels: channels)
    }
    self.usesRectifiedResidual = usesRectifiedResidual
  }

  /// `[batch, height, width, channels]`, same shape.
  func callAsFunction(
    _ x: Variable, _ tape: Tape, _ use: NormalizationStatistics
  ) -> Variable {
    let normed = tape.batchNorm(x, statistics[0], use)
    let rectified = tape.relu(normed)
    var y = convolutions[0](rectified, tape, isTraining: use == .batch)
    y = tape.relu(tape.batchNorm(y, statistics[1], use))
    y = convolutions[1](y, tape, isTraining: use == .batch)
    return tape.add(y, usesRectifiedResidual ? rectified : normed)
  }
}

/// A 3x3 convolution whose weight is divided by its largest singular value.
struct NormalizedConvolution {
  private let weight: Parameter
  private let bias: Parameter
  private let vectors: SpectralVectors

  init(_ make: ParameterMaker, _ name: String, channels: Int) {
    weight = make.parameter(
      "\(name).weight", [channels, channels, 3, 3], .inputs(9 * channels))
    bias = make.parameter("\(name).bias", [channels], .inputs(9 * channels))
    vectors = SpectralVectors(
      left: make.buffer("\(name).u0", [1, channels], .normal),
      value: make.buffer("\(name).sv0", [1], .value(1)))
  }

  func callAsFunction(_ x: Variable, _ tape: Tape, isTraining: Bool) -> Variable {
    tape.convolution(
      x, weight: tape.spectrallyNormalized(weight, vectors, isTraining: isTraining), bias: bias)
  }
}
