package import Schema

/// What to draw.
package struct SamplingRequest: Sendable {
  /// One picture is drawn for each.
  package var prompts: [String]
  /// What the pictures should not show, for all of them.
  package var negativePrompt = ""
  /// A seed for each prompt; a seed draws the noise that PyTorch's CPU generator draws for it.
  package var seeds: [UInt64]
  /// Denoising steps.
  package var steps = 50
  /// Weight of the prompt against the negative prompt; 1 and below use the prompt alone.
  package var guidanceScale: Float = 7.5
  /// Columns.
  package var width = 512
  /// Rows.
  package var height = 512
  /// Another sampler than the model's own.
  package var sampler: SamplerKind?
  /// What is wanted from the network at which step, numbered from 0.
  package var request: @Sendable (Int) -> UNetRequest = { _ in UNetRequest() }

  /// A request with the usual settings.
  package init(prompts: [String], seeds: [UInt64]) {
    self.prompts = prompts
    self.seeds = seeds
  }
}

/// A drawn latent, and what was asked for on the way.
package struct SamplingResult: Sendable {
  /// `[prompts, height/8, width/8, channels]`, as the U-Net sees it.
  package let latent: Tensor
  /// What the network handed out, per step that asked for something.
  ///
  /// The batch is `[negative prompts; prompts]` where guidance is used.
  package let outputs: [(stepIndex: Int, timestep: Double, output: UNetOutput)]
  /// Prompts that were longer than the text encoder reads.
  package let truncated: [String]
}

extension DiffusionModel {
  /// At most this many pictures at once.
  package static let maximumBatch = 64
  /// The longest side of a picture, in pixels.
  package static let maximumSide = 4096

  /// Draws latents.
  ///
  /// - Parameter progress: called after each step with the number of steps done, their total and
  ///   the latent; it throws to stop.
  /// - Throws: ``GeneratorError/Code/invalidArgument``, and what `progress` throws.
  package func sample(
    _ request: SamplingRequest,
    progress: (Int, Int, Tensor) throws(GeneratorError) -> Void = { _, _, _ in }
  ) throws(GeneratorError) -> SamplingResult {
    try check(request)
    let schedule = try directory.noiseSchedule(kind: request.sampler)
    var sampler = try schedule.sampler(steps: request.steps)
    let batch = request.prompts.count
    let isGuided = request.guidanceScale > 1 && unet.configuration.guidanceChannels == nil
    let (context, truncated) = try embed(
      (isGuided ? [String](repeating: request.negativePrompt, count: batch) : [])
        + request.prompts)
    let guidance = guidanceEmbedding(request.guidanceScale, batch: batch)
    var generators = request.seeds.map { TorchRandom(seed: $0) }
    let side = autoencoder.downsampling
    let shape = [
      batch, request.height / side, request.width / side, unet.configuration.latentChannels,
    ]
    var latent = scaled(noise(shape, &generators), Float(sampler.initialScale))
    var outputs: [(Int, Double, UNetOutput)] = []
    for (index, timestep) in sampler.timesteps.enumerated() {
      let input = scaled(latent, Float(sampler.inputScale(index)))
      let wanted = request.request(index)
      let output = unet(
        isGuided ? stacked(input, input) : input, timestep: Float(timestep), context: context,
        guidance: guidance, request: wanted)
      if !output.blocks.isEmpty || !output.attention.isEmpty {
        outputs.append((index, timestep, output))
      }
      var prediction = output.prediction
      if isGuided {
        // ε_negative + scale · (ε_prompt − ε_negative), Ho and Salimans, 2021.
        prediction = combine(
          1 - request.guidanceScale, prediction.slice(0..<batch), request.guidanceScale,
          prediction.slice(batch..<2 * batch))
      }
      latent = sampler.step(prediction, latent: latent, stepIndex: index) {
        noise(shape, &generators)
      }
      try progress(index + 1, sampler.timesteps.count, latent)
    }
    return SamplingResult(latent: latent, outputs: outputs, truncated: truncated)
  }

  /// A picture as a latent of the U-Net, `[1, height/8, width/8, channels]`.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` when a side is not divisible by 8.
  package func latent(of picture: RGBImage) throws(GeneratorError) -> Tensor {
    try checkSize(width: picture.width, height: picture.height)
    return autoencoder.encode(picture)
  }

  /// A latent with the noise of `timestep` mixed in, drawn for `seed`.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` when the schedule has no such timestep.
  package func noised(
    _ latent: Tensor, timestep: Int, seed: UInt64
  ) throws(GeneratorError) -> Tensor {
    let schedule = try directory.noiseSchedule()
    guard (0..<schedule.trainingSteps).contains(timestep) else {
      throw GeneratorError(
        .invalidArgument, "timestep \(timestep); expected 0 to \(schedule.trainingSteps - 1)")
    }
    let alpha = schedule.alpha(timestep)
    var generators = (0..<latent.shape[0]).map { TorchRandom(seed: seed &+ UInt64($0)) }
    return combine(
      Float(alpha.squareRoot()), latent, Float((1 - alpha).squareRoot()),
      noise(latent.shape, &generators))
  }

  /// The pictures of latents.
  ///
  /// Decoding needs more memory than the U-Net's buffers take, so those are given back before, and
  /// the decoder's after.
  package func pictures(_ latent: Tensor) -> [RGBImage] {
    releaseUNetMemory()
    defer { workspace.trim() }
    return autoencoder.decode(latent)
  }

  private func check(_ request: SamplingRequest) throws(GeneratorError) {
    guard (1...Self.maximumBatch).contains(request.prompts.count) else {
      throw GeneratorError(
        .invalidArgument, "\(request.prompts.count) prompts; expected 1 to \(Self.maximumBatch)")
    }
    guard request.seeds.count == request.prompts.count else {
      throw GeneratorError(
        .invalidArgument, "\(request.seeds.count) seeds for \(request.prompts.count) prompts")
    }
    guard request.guidanceScale.isFinite, abs(request.guidanceScale) <= 1000 else {
      throw GeneratorError(
        .invalidArgument, "guidance scale \(request.guidanceScale); expected 0 to 1000")
    }
    try checkSize(width: request.width, height: request.height)
  }

  private func checkSize(width: Int, height: Int) throws(GeneratorError) {
    let side = max(autoencoder.downsampling, 8)
    for (name, value) in [("width", width), ("height", height)] {
      guard (side...Self.maximumSide).contains(value), value % side == 0 else {
        throw GeneratorError(
          .invalidArgument,
          "\(name) \(value); expected a multiple of \(side) from \(side) to \(Self.maximumSide)")
      }
    }
  }

  /// The guidance scale as a latent consistency model takes it (Meng et al., 2023).
  private func guidanceEmbedding(_ scale: Float, batch: Int) -> Tensor? {
    unet.configuration.guidanceChannels.map { channels in
      let row = sinusoidalEmbedding(
        (scale - 1) * 1000, dimension: channels, cosineFirst: false, frequencyShift: 1)
      return workspace.tensor((0..<batch).flatMap { _ in row }, shape: [batch, channels])
    }
  }

  /// Noise for each picture from its own generator, in the order of PyTorch's axes.
  private func noise(_ shape: [Int], _ generators: inout [TorchRandom]) -> Tensor {
    let count = shape.dropFirst().reduce(1, *)
    let values = generators.indices.flatMap { generators[$0].normals(count) }
    return workspace.tensor(values, shape: [shape[0], shape[3], shape[1], shape[2]])
      .channelsLast()
  }

  private func scaled(_ x: Tensor, _ factor: Float) -> Tensor {
    factor == 1 ? x : combine(factor, x, 0, x)
  }

  private func stacked(_ x: Tensor, _ y: Tensor) -> Tensor {
    workspace.tensor(x.values + y.values, shape: [x.shape[0] + y.shape[0]] + x.shape.dropFirst())
  }
}
