/// What is done with a category whose mask is missing.
package enum TrainingStrategy: String, Codable, Sendable, CaseIterable {
  /// It is trained to an empty mask: the oracle is trusted.
  case normal
  /// It is left out.
  case withoutZeroMasks = "without-zero-masks"
}

/// All that decides what a training run computes.
package struct TrainingOptions: Codable, Sendable, Equatable {
  /// The split's name.
  package var split: String
  /// What is done with missing masks.
  package var strategy = TrainingStrategy.withoutZeroMasks
  /// The chance that a mask is dropped, as a detector would.
  package var simulatedMisses = 0.0
  /// What masks are trained to.
  package var loss = MaskLoss.crossEntropy
  /// Adam's step length.
  package var learningRate: Float = 1e-3
  /// Steps in all.
  package var steps = 4000
  /// Pictures of a step.
  package var batchSize = 8
  /// Decides weights, noise and missing masks.
  package var seed: UInt64 = 0
  /// Gradients are clipped to this norm.
  package var gradientLimit = 1.0
  /// The sentence of the queries.
  package var template = PromptTemplate.standard.text
  /// Steps from one validation to the next.
  package var validationInterval = 250
  /// Pictures of a validation.
  package var validationCount = 64

  /// Whether a picture's features are computed once, with noise of its own, and kept; nil is no.
  package var keepsFeatures: Bool?

  /// Pictures of the stream that are trained on, over and over; all as they come when nil.
  package var pictures: Int?

  /// The share of the steps, at the end, over which the step length falls to nothing; nil is none.
  package var decayShare: Double?

  /// The share of the full step length at a step.
  package func rateFactor(step: Int) -> Float {
    guard let decayShare, decayShare > 0 else { return 1 }
    let left = Double(steps - step) / (Double(steps) * decayShare)
    return Float(min(1, max(0, left)))
  }

  /// The usual options.
  package init(split: String) { self.split = split }

  /// Checks values that came from outside.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` that names the option and its range.
  package func validate() throws(GeneratorError) {
    let ranges: [(String, Double, ClosedRange<Double>)] = [
      ("simulated misses", simulatedMisses, 0...1),
      ("learning rate", Double(learningRate), 0...1),
      ("steps", Double(steps), 1...10_000_000),
      ("batch size", Double(batchSize), 1...64),
      ("decay share", decayShare ?? 0, 0...1),
      ("gradient limit", gradientLimit, 1e-6...1e6),
      ("steps from one validation to the next", Double(validationInterval), 1...1_000_000),
      ("pictures of a validation", Double(validationCount), 1...10_000),
      ("pictures to train on", Double(pictures ?? 1), 1...1e9),
    ]
    for (name, value, range) in ranges where !range.contains(value) {
      throw GeneratorError(
        .invalidArgument,
        "\(name): \(value); expected \(range.lowerBound) to \(range.upperBound)")
    }
    _ = try PromptTemplate(template)
  }
}

/// One line of a run's history.
package struct TrainingRecord: Codable, Sendable, Equatable {
  /// Steps done.
  package var step: Int
  /// Mean loss of a mask since the line before.
  package var loss: Double
  /// Mean intersection over union on the pictures kept for validation.
  package var validation: Double
}
