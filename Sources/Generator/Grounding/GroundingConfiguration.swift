/// The shape of a ``GroundingModule``, and how its features are made.
///
/// Written as JSON into the metadata of a module's file.
package struct GroundingConfiguration: Codable, Sendable, Equatable {
  /// One level of features.
  package struct Level: Codable, Sendable, Equatable {
    /// Channels of all blocks of this size, both halves of a pair counted.
    package var inputs: Int
    /// Channels that its 1x1 convolution makes of them.
    package var outputs: Int
  }

  /// Levels, coarsest first.
  package var levels: [Level]
  /// Whether features of the unconditional and the conditional half are used, else of the latter.
  package var isPaired: Bool
  /// Channels of the text embedding.
  package var textChannels: Int
  /// Channels of the decoder.
  package var width: Int
  /// Attention heads.
  package var heads: Int
  /// Layers of the decoder.
  package var layers: Int
  /// Channels inside the feed-forward layers.
  package var feedForward: Int
  /// Pixels along a side of the squares that become tokens.
  package var patch: Int
  /// Mask pixels along a side of one feature pixel.
  package var detail: Int
  /// Channels of a mask pixel; those of the fused features where `detail` is 1.
  package var maskChannels: Int
  /// Whether the mixing blocks add ReLU of their normalised input instead of that input itself: the
  /// published code does, by a ReLU in place.
  package var usesRectifiedResidual: Bool
  /// Whether inference normalises each picture by itself, as the published scripts do.
  package var usesPictureStatistics: Bool
  /// The training timestep whose features are used.
  package var timestep: Int
  /// The levels, by position, whose features count, the others being zero; all when nil.
  package var usedLevels: [Int]?

  /// Channels of the fused features.
  package var featureChannels: Int { levels.map(\.outputs).reduce(0, +) }
}

extension GroundingConfiguration {
  /// At most this many channels of anything.
  package static let maximumChannels = 1 << 17
  /// At most this many layers, heads, and pixels along a patch.
  package static let maximumParts = 64

  /// The published module of the paper for Stable Diffusion 1.x, 18.80 M parameters.
  package static let published = GroundingConfiguration(
    levels: [
      Level(inputs: 15360, outputs: 16), Level(inputs: 14080, outputs: 32),
      Level(inputs: 8320, outputs: 64), Level(inputs: 5120, outputs: 128),
    ], isPaired: true, textChannels: 768, width: 512, heads: 8, layers: 3, feedForward: 2048,
    patch: 4, detail: 1, maskChannels: 240, usesRectifiedResidual: true,
    usesPictureStatistics: true, timestep: 1)

  /// The module for a base model: the published widths for networks as wide as Stable Diffusion,
  /// a small one with finer masks for smaller networks.
  ///
  /// - Parameter timestep: where features are taken; the paper's 1 when nil, and 100 for the small
  ///   one.
  /// - Throws: ``GeneratorError/Code/badConfiguration`` when the network has a single level.
  package init(
    for unet: UNetConfiguration, timestep: Int? = nil
  ) throws(GeneratorError) {
    let isSmall = unet.blockChannels[0] < 256
    let groups = Self.blockChannels(of: unet)
    guard groups.count > 1 else {
      throw GeneratorError(
        .badConfiguration, "a U-Net of one level; the grounding module needs at least 2")
    }
    let finest = isSmall ? 64 : 128
    let count = groups.count
    let levels = groups.enumerated().map { index, channels in
      Level(
        inputs: channels * (isSmall ? 1 : 2), outputs: max(finest >> (count - 1 - index), 8))
    }
    let features = levels.map(\.outputs).reduce(0, +)
    self.init(
      levels: levels, isPaired: !isSmall, textChannels: unet.contextChannels,
      width: isSmall ? 128 : 512, heads: isSmall ? 4 : 8, layers: isSmall ? 2 : 3,
      feedForward: isSmall ? 256 : 2048, patch: isSmall ? 2 : 4, detail: isSmall ? 4 : 1,
      maskChannels: isSmall ? 32 : features, usesRectifiedResidual: false,
      usesPictureStatistics: false, timestep: timestep ?? (isSmall ? 100 : 1))
  }

  /// Channels of all blocks of each size, coarsest first: see ``UNetOutput/blocks``.
  package static func blockChannels(of unet: UNetConfiguration) -> [Int] {
    let channels = unet.blockChannels
    var sums = [Int](repeating: 0, count: channels.count)
    sums[0] += channels[0]
    for (level, width) in channels.enumerated() {
      sums[level] += unet.layersPerBlock * width
      if level + 1 < channels.count { sums[level + 1] += width }
    }
    if unet.hasMiddle { sums[channels.count - 1] += channels[channels.count - 1] }
    for (level, width) in channels.enumerated() {
      sums[level] += (unet.layersPerBlock + (level == 0 ? 1 : 0)) * width
      if level > 0 { sums[level - 1] += width }
    }
    return sums.reversed()
  }

  /// Checks values that came from a file.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint``.
  func validate(file: String) throws(GeneratorError) {
    let channels =
      [textChannels, width, feedForward, maskChannels]
      + levels.flatMap { [$0.inputs, $0.outputs] }
    let parts = [heads, layers, patch, detail]
    guard (2...8).contains(levels.count),
      channels.allSatisfy({ (1...Self.maximumChannels).contains($0) }),
      parts.allSatisfy({ (1...Self.maximumParts).contains($0) }), width % heads == 0,
      detail > 1 || maskChannels == featureChannels, (0...999).contains(timestep),
      usedLevels.map({ !$0.isEmpty && $0.allSatisfy(levels.indices.contains) }) ?? true
    else {
      throw GeneratorError(
        .badCheckpoint, "\(file): the configuration in it describes no module: \(self)")
    }
  }

  /// Checks that a module of this shape reads a base model's features and text.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint``.
  package func check(fits unet: UNetConfiguration, file: String) throws(GeneratorError) {
    let needed = Self.blockChannels(of: unet).map { isPaired ? 2 * $0 : $0 }
    guard levels.map(\.inputs) == needed, textChannels == unet.contextChannels else {
      throw GeneratorError(
        .badCheckpoint,
        "\(file): a module for features of \(levels.map(\.inputs)) channels and text of "
          + "\(textChannels); this model has \(needed) and \(unet.contextChannels)")
    }
  }
}
