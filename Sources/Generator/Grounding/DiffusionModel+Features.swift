extension DiffusionModel {
  /// The features of latents, by one evaluation of the U-Net on each, noised to a timestep.
  ///
  /// It stands in for the step of the sampler that the paper taps: samplers of few steps never come
  /// to that timestep, and pictures that were not drawn here have no steps at all.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, latentChannels]`.
  ///   - prompts: what each picture shows.
  ///   - seeds: draw the noise of each picture.
  /// - Throws: ``GeneratorError/Code/invalidArgument``.
  package func features(
    of latents: Tensor, prompts: [String], seeds: [UInt64], configuration: GroundingConfiguration
  ) throws(GeneratorError) -> DiffusionFeatures {
    let batch = latents.shape[0]
    precondition(
      prompts.count == batch && seeds.count == batch,
      "\(prompts.count) prompts and \(seeds.count) seeds for \(batch) pictures")
    let noised = try (0..<batch).map { index throws(GeneratorError) in
      try self.noised(
        latents.slice(index..<index + 1), timestep: configuration.timestep, seed: seeds[index])
    }
    let copies = configuration.isPaired ? noised + noised : noised
    let input = stackRows(copies, shape: [copies.count] + latents.shape.dropFirst())
    let unconditional = configuration.isPaired ? [String](repeating: "", count: batch) : []
    let context = try embed(unconditional + prompts).embedding
    let output = unet(
      input, timestep: Float(configuration.timestep), context: context,
      request: UNetRequest(blocks: true))
    var features = try DiffusionFeatures(
      blocks: output.blocks, batch: batch, isPaired: configuration.isPaired)
    if let used = configuration.usedLevels { features.clear(except: used) }
    guard features.levels.count == configuration.levels.count else {
      throw GeneratorError(
        .invalidArgument,
        "a picture of \(latents.shape[1])x\(latents.shape[2]) latents gives features of "
          + "\(features.levels.count) sizes, the module reads \(configuration.levels.count); "
          + "use a larger picture")
    }
    return features
  }
}
