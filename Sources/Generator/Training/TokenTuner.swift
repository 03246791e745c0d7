package import Schema

/// Tunes the query of one category on one annotated picture; base model and module stay as they are.
///
/// The picture and its mirror image are looked at with several noises, so that the query fits the
/// category's features and not one sample of them.
package struct TokenTuner {
  /// What decides a run.
  package struct Options: Sendable {
    /// Steps of the optimiser; many more fit the one picture and little else.
    package var steps = 60
    /// Adam's step length.
    package var learningRate: Float = 0.003
    /// Noises that the picture is looked at with; as many of its mirror image.
    package var noises = 8
    /// Decides the noises.
    package var seed: UInt64 = 0

    /// The usual options.
    package init() {}

    /// Checks values that came from outside.
    ///
    /// - Throws: ``GeneratorError/Code/invalidArgument`` that names the option and its range.
    package func validate() throws(GeneratorError) {
      let ranges: [(String, Double, ClosedRange<Double>)] = [
        ("steps", Double(steps), 1...100_000), ("learning rate", Double(learningRate), 0...1),
        ("noises", Double(noises), 1...64),
      ]
      for (name, value, range) in ranges where !range.contains(value) {
        throw GeneratorError(
          .invalidArgument,
          "\(name): \(value); expected \(range.lowerBound) to \(range.upperBound)")
      }
    }
  }

  /// Pictures that a step looks at.
  private static let batch = 4

  private let grounder: Grounder
  private let category: String
  private let options: Options
  private let features: [DiffusionFeatures]
  private let targets: [Tensor]
  private let size: (height: Int, width: Int)
  private let query: Parameter
  private let optimizer: Adam

  /// Prepares a run: all evaluations of the U-Net happen here.
  ///
  /// - Parameters:
  ///   - image: of a size that ``Grounder/workingSize(width:height:)`` gives.
  ///   - mask: of the same size.
  ///   - prompt: what the picture shows; made of the category when nil.
  /// - Throws: ``GeneratorError/Code/invalidArgument`` when the mask is empty or of another size, an
  ///   option is outside its range, or the category has no tokens.
  package init(
    _ grounder: Grounder, image: RGBImage, mask: BinaryMask, category: String,
    prompt: String? = nil, options: Options = Options()
  ) throws(GeneratorError) {
    try options.validate()
    guard mask.width == image.width, mask.height == image.height else {
      throw GeneratorError(
        .invalidArgument,
        "a mask of \(mask.width)x\(mask.height) for a picture of \(image.width)x\(image.height)")
    }
    guard mask.pixelCount > 0 else {
      throw GeneratorError(.invalidArgument, "the mask of '\(category.prefix(80))' is empty")
    }
    self.grounder = grounder
    self.category = category
    self.options = options
    size = (image.height, image.width)
    let (model, module) = (grounder.model, grounder.module)
    let text = prompt ?? grounder.metadata.template.prompt(category)
    var (features, targets): ([DiffusionFeatures], [Tensor]) = ([], [])
    for isMirrored in [false, true] {
      let picture = isMirrored ? image.mirrored : image
      let values = (isMirrored ? mask.mirrored : mask).values.map { Float($0) }
      let latent = try model.latent(of: picture)
      for noise in 0..<options.noises {
        let seed = MissSimulator.hash(options.seed, UInt64(2 * noise + (isMirrored ? 1 : 0)))
        features.append(
          try model.features(
            of: latent, prompts: [text], seeds: [seed], configuration: module.configuration))
        targets.append(model.workspace.tensor(values, shape: [1, size.height, size.width, 1]))
      }
    }
    (self.features, self.targets) = (features, targets)
    query = Parameter(name: "query", value: try grounder.queries([category]).copy())
    optimizer = Adam(parameters: [query], learningRate: options.learningRate)
  }

  /// Steps in all.
  package var steps: Int { options.steps }

  /// Takes one step.
  ///
  /// - Returns: the mean loss of a mask.
  /// - Throws: ``GeneratorError/Code/diverged`` when the loss or its gradient is not a number.
  package func step() throws(GeneratorError) -> Double {
    let count = min(Self.batch, features.count)
    // Takes turns, pictures and mirror images together.
    let chosen = (0..<count).map { place in
      let position = optimizer.stepCount * count + place
      let half = features.count / 2
      return position % 2 * half + position / 2 % half
    }
    let module = grounder.module
    let tape = Tape(isRecording: true)
    let width = module.configuration.textChannels
    let text = tape.input(
      stackRows(chosen.map { _ in query.value }, shape: [count, width]))
    let logits = tape.resize(
      module.logits(
        DiffusionFeatures(stacking: chosen.map { features[$0] }), text: text,
        rows: (0..<count).map { $0..<$0 + 1 }, tape: tape),
      height: size.height, width: size.width)
    let target = stackRows(
      chosen.map { targets[$0] }, shape: [count, size.height, size.width, 1])
    let (loss, losses) = tape.maskLoss(
      logits, targets: target, weights: ones(target), .both, scale: 1 / Double(count))
    tape.backward(from: loss)
    for parameter in module.parameters { parameter.clearGradient() }
    if let gradient = tape.gradient(of: text) {
      var sum = [Float](repeating: 0, count: width)
      for row in 0..<count {
        for (channel, value) in gradient.slice(row..<row + 1).values.enumerated() {
          sum[channel] += value
        }
      }
      copyValues(of: gradient.workspace.tensor(sum, shape: [1, width]), to: query.gradient)
    }
    let norm = optimizer.step(clippedTo: 1)
    let mean = losses.reduce(0, +) / Double(count)
    guard mean.isFinite, norm.isFinite else {
      throw GeneratorError(
        .diverged,
        "step \(optimizer.stepCount + 1): the loss (\(mean)) or its gradient is not a number; "
          + "try a smaller --learning-rate")
    }
    return mean
  }

  /// The mean intersection over union of the masks of all noises with the query as it is now.
  package func score() -> Double {
    let scores = zip(features, targets).map { features, target in
      let found = grounder.module.probabilities(
        features, queries: [query.value], height: size.height, width: size.width
      ).values.map { UInt8($0 > 0.5 ? 1 : 0) }
      return MaskScore(found, target.values.map { UInt8($0) }).ratio
    }
    return scores.reduce(0, +) / Double(scores.count)
  }

  /// The query as it is now.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess``.
  package func token() throws(GeneratorError) -> CategoryToken {
    CategoryToken(
      category: category, query: query.value,
      baseModel: try Fingerprint.model(grounder.model.directory, workspace: query.value.workspace),
      module: grounder.module.fingerprint)
  }
}

extension RGBImage {
  /// Left and right exchanged.
  fileprivate var mirrored: RGBImage {
    var result = pixels
    for row in 0..<height {
      for column in 0..<width {
        let (from, to) = (3 * (row * width + column), 3 * (row * width + width - 1 - column))
        for channel in 0..<3 { result[to + channel] = pixels[from + channel] }
      }
    }
    return RGBImage(width: width, height: height, pixels: result)
  }
}

extension BinaryMask {
  /// Left and right exchanged.
  fileprivate var mirrored: BinaryMask {
    var result = values
    for row in 0..<height {
      for column in 0..<width {
        result[row * width + width - 1 - column] = values[row * width + column]
      }
    }
    return BinaryMask(width: width, height: height, values: result)
  }
}
