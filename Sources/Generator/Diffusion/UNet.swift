/// What to hand out of a U-Net evaluation besides the prediction.
package struct UNetRequest: Sendable {
  /// Whether the outputs of all blocks are wanted.
  package var blocks: Bool
  /// The attention layers whose probabilities are wanted, such as
  /// `up_blocks.1.attentions.0.transformer_blocks.0.attn2` (`attn1` is attention of pixels to pixels);
  /// nil for none.
  package var attention: (@Sendable (String) -> Bool)?

  /// Nothing but the prediction, unless said otherwise.
  package init(blocks: Bool = false, attention: (@Sendable (String) -> Bool)? = nil) {
    self.blocks = blocks
    self.attention = attention
  }
}

/// A value from inside a U-Net with its place.
package struct UNetTap: Sendable {
  /// Where it was taken.
  package let name: String
  /// Blocks: `[batch, height, width, channels]`; attention: `[batch, heads, pixels, keys]`.
  package let value: Tensor
}

/// The result of a U-Net evaluation.
package struct UNetOutput: Sendable {
  /// What the network predicts (noise, or velocity), `[batch, height, width, latentChannels]`.
  package fileprivate(set) var prediction: Tensor
  /// The outputs of all blocks in order of execution; empty unless asked for.
  ///
  /// Blocks are counted as CompVis does: an output block's upsampler belongs to it, a downsampler is
  /// a block of its own. SD 1.x has 25.
  package fileprivate(set) var blocks: [UNetTap] = []
  /// The attention probabilities asked for.
  package fileprivate(set) var attention: [UNetTap] = []
}

/// The network that predicts the noise in a latent: diffusers' `UNet2DConditionModel`.
///
/// Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022.
package struct UNet: Sendable {
  /// The shape of the network.
  package let configuration: UNetConfiguration
  private let convolutionIn: Convolution
  private let time: TimestepEmbedding
  private let down: [Level]
  private let middle: Middle?
  private let up: [Level]
  private let normOut: GroupNorm
  private let convolutionOut: Convolution

  /// Resnets with transformers behind them, and a change of size.
  private struct Level {
    let name: String
    var resnets: [ResnetBlock] = []
    var transformers: [SpatialTransformer] = []
    var resize: Convolution?
  }

  private struct Middle {
    let first: ResnetBlock
    let transformer: SpatialTransformer
    let second: ResnetBlock
  }

  /// Reads the network by its published names.
  package init(_ weights: WeightScope, configuration: UNetConfiguration) {
    self.configuration = configuration
    let channels = configuration.blockChannels
    let (finest, coarsest) = (channels[0], channels[channels.count - 1])
    let maker = UNetBlockMaker(configuration: configuration)
    convolutionIn = Convolution(
      weights["conv_in"], inputs: configuration.latentChannels, outputs: finest)
    time = TimestepEmbedding(
      weights["time_embedding"], dimension: finest, channels: maker.timeChannels,
      cosineFirst: configuration.cosineFirst, frequencyShift: configuration.frequencyShift,
      conditionChannels: configuration.guidanceChannels)

    var skips = [finest]
    var current = finest
    var down: [Level] = []
    for (level, outputs) in channels.enumerated() {
      let name = "down_blocks.\(level)"
      var block = Level(name: name)
      for layer in 0..<configuration.layersPerBlock {
        block.resnets.append(
          maker.resnet(weights[name]["resnets.\(layer)"], inputs: current, outputs: outputs))
        if configuration.downAttends[level] {
          block.transformers.append(
            maker.transformer(weights[name]["attentions.\(layer)"], level: level))
        }
        current = outputs
        skips.append(current)
      }
      if level + 1 < channels.count {
        block.resize = Convolution(
          weights[name]["downsamplers.0.conv"], inputs: current, outputs: current,
          geometry: ConvolutionGeometry(kernel: 3, stride: 2, padding: 1))
        skips.append(current)
      }
      down.append(block)
    }
    self.down = down

    middle =
      configuration.hasMiddle
      ? Middle(
        first: maker.resnet(weights["mid_block.resnets.0"], inputs: current, outputs: current),
        transformer: maker.transformer(
          weights["mid_block.attentions.0"], level: channels.count - 1),
        second: maker.resnet(weights["mid_block.resnets.1"], inputs: current, outputs: current))
      : nil

    var up: [Level] = []
    current = coarsest
    for index in channels.indices {
      let level = channels.count - 1 - index
      let name = "up_blocks.\(index)"
      var block = Level(name: name)
      for layer in 0...configuration.layersPerBlock {
        block.resnets.append(
          maker.resnet(
            weights[name]["resnets.\(layer)"], inputs: current + skips.removeLast(),
            outputs: channels[level]))
        if configuration.upAttends[index] {
          block.transformers.append(
            maker.transformer(weights[name]["attentions.\(layer)"], level: level))
        }
        current = channels[level]
      }
      if level > 0 {
        block.resize = Convolution(
          weights[name]["upsamplers.0.conv"], inputs: current, outputs: current)
      }
      up.append(block)
    }
    self.up = up
    normOut = GroupNorm(
      weights["conv_norm_out"], channels: finest, groups: configuration.groups,
      epsilon: configuration.epsilon)
    convolutionOut = Convolution(
      weights["conv_out"], inputs: finest, outputs: configuration.latentChannels)
  }

  /// Evaluates the network.
  ///
  /// - Parameters:
  ///   - latent: `[batch, height, width, latentChannels]`.
  ///   - timestep: the position on the schedule, the same for the whole batch.
  ///   - context: text embeddings `[batch, tokens, contextChannels]`.
  ///   - guidance: `[batch, guidanceChannels]` of a latent consistency model.
  package func callAsFunction(
    _ latent: Tensor, timestep: Float, context: Tensor, guidance: Tensor? = nil,
    request: UNetRequest = UNetRequest()
  ) -> UNetOutput {
    precondition(
      latent.shape.count == 4 && latent.shape[3] == configuration.latentChannels
        && context.shape[0] == latent.shape[0] && context.shape[2] == configuration.contextChannels,
      "latent \(latent.shape), context \(context.shape)")
    let embedding = activate(
      time(
        timestep, batch: latent.shape[0], guidance: guidance, workspace: latent.workspace), .silu)
    var output = UNetOutput(prediction: latent)
    var x = convolutionIn(latent)
    var skips = [x]
    record("conv_in", x, request, &output)
    for level in down {
      for layer in level.resnets.indices {
        x = layerOutput(level, layer, x, embedding, context, request, &output)
        skips.append(x)
        record("\(level.name).\(layer)", x, request, &output)
      }
      if let resize = level.resize {
        x = resize(x)
        skips.append(x)
        record("\(level.name).downsampler", x, request, &output)
      }
    }
    if let middle {
      x = middle.first(x, time: embedding)
      x = attended(
        middle.transformer, x, context, "mid_block.attentions.0", request, &output)
      x = middle.second(x, time: embedding)
      record("mid_block", x, request, &output)
    }
    for level in up {
      for layer in level.resnets.indices {
        x = joinChannels(x, skips.removeLast())
        x = layerOutput(level, layer, x, embedding, context, request, &output)
        if layer == level.resnets.count - 1, let resize = level.resize, let skip = skips.last {
          x = resize(upsampleNearest(x, height: skip.shape[1], width: skip.shape[2]))
        }
        record("\(level.name).\(layer)", x, request, &output)
      }
    }
    output.prediction = convolutionOut(normOut(x, silu: true))
    return output
  }

  private func layerOutput(
    _ level: Level, _ layer: Int, _ x: Tensor, _ embedding: Tensor, _ context: Tensor,
    _ request: UNetRequest, _ output: inout UNetOutput
  ) -> Tensor {
    let hidden = level.resnets[layer](x, time: embedding)
    guard level.transformers.indices.contains(layer) else { return hidden }
    return attended(
      level.transformers[layer], hidden, context, "\(level.name).attentions.\(layer)", request,
      &output)
  }

  private func attended(
    _ transformer: SpatialTransformer, _ x: Tensor, _ context: Tensor, _ name: String,
    _ request: UNetRequest, _ output: inout UNetOutput
  ) -> Tensor {
    guard let wanted = request.attention else { return transformer(x, context: context) }
    var taps: [UNetTap] = []
    let result = transformer(x, context: context) { block, kind in
      let layer = "\(name).transformer_blocks.\(block).\(kind.rawValue)"
      guard wanted(layer) else { return nil }
      return { taps.append(UNetTap(name: layer, value: $0)) }
    }
    output.attention += taps
    return result
  }

  private func record(
    _ name: String, _ value: Tensor, _ request: UNetRequest, _ output: inout UNetOutput
  ) {
    if request.blocks { output.blocks.append(UNetTap(name: name, value: value)) }
  }
}

/// Makes the blocks of one configuration.
private struct UNetBlockMaker {
  let configuration: UNetConfiguration

  var timeChannels: Int { 4 * configuration.blockChannels[0] }

  func resnet(_ weights: WeightScope, inputs: Int, outputs: Int) -> ResnetBlock {
    ResnetBlock(
      weights, inputs: inputs, outputs: outputs, timeChannels: timeChannels,
      groups: configuration.groups, epsilon: configuration.epsilon)
  }

  func transformer(_ weights: WeightScope, level: Int) -> SpatialTransformer {
    SpatialTransformer(
      weights, channels: configuration.blockChannels[level],
      contextChannels: configuration.contextChannels, heads: configuration.headCount(level),
      groups: configuration.groups, blockCount: configuration.transformerLayers)
  }
}
