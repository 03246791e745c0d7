/// The trained part of grounding: masks of named categories from a U-Net's features.
///
/// Li et al., "Open-vocabulary Object Segmentation with Diffusion Models", ICCV 2023
/// (arXiv 2301.05221). The U-Net, the autoencoder and the text encoder stay as they are.
package final class GroundingModule {
  /// Its shape, and how features are made for it.
  package let configuration: GroundingConfiguration
  /// What is trained, in order.
  package let parameters: [Parameter]
  /// What is kept beside it: running statistics and singular vectors, changed in place by training.
  package let buffers: [(name: String, value: Tensor)]
  private let fusion: FeatureFusion
  private let decoder: MaskDecoder
  private let detail: (weight: Parameter, bias: Parameter)?

  /// Makes a module's layers from a checkpoint or from a seed.
  package init(_ make: ParameterMaker, configuration: GroundingConfiguration) {
    self.configuration = configuration
    fusion = FeatureFusion(make, configuration)
    decoder = MaskDecoder(make, configuration)
    let channels = configuration.featureChannels
    if configuration.detail > 1 {
      let outputs = configuration.detail * configuration.detail * configuration.maskChannels
      detail = (
        make.parameter("detail.weight", [outputs, channels], .inputs(channels)),
        make.parameter("detail.bias", [outputs], .inputs(channels))
      )
    } else {
      detail = nil
    }
    parameters = make.parameters
    buffers = make.buffers
  }

  /// A fresh module.
  package convenience init(
    configuration: GroundingConfiguration, seed: UInt64, workspace: Workspace
  ) {
    self.init(
      ParameterMaker(seed: seed, workspace: workspace), configuration: configuration)
  }

  /// How many values are trained.
  package var parameterCount: Int { parameters.map(\.value.count).reduce(0, +) }

  /// Logits `[queries, height, width, 1]` of all pictures' queries, picture by picture, at the size
  /// of the finest level times ``GroundingConfiguration/detail``.
  ///
  /// - Parameters:
  ///   - queries: for each picture its categories' embeddings, `[queries, textChannels]`.
  ///   - isTraining: whether to use and move the batch's statistics.
  ///
  /// The paper enlarges features before the dot product; both are linear, so enlarging the logits
  /// instead gives the same at a fraction of the cost: see ``Tape/resize(_:height:width:)``.
  package func logits(
    _ features: DiffusionFeatures, queries: [Tensor], tape: Tape, isTraining: Bool = false
  ) -> Variable {
    precondition(queries.count == features.batch, "queries for \(queries.count) pictures")
    var rows: [Range<Int>] = []
    for query in queries {
      let first = rows.last?.upperBound ?? 0
      rows.append(first..<first + query.shape[0])
    }
    let text = stackRows(
      queries, shape: [rows.last?.upperBound ?? 0, configuration.textChannels])
    return logits(
      features, text: tape.constant(text), rows: rows, tape: tape, isTraining: isTraining)
  }

  /// The same, with the embeddings of all pictures in one variable, of which each picture asks for
  /// its `rows`.
  func logits(
    _ features: DiffusionFeatures, text: Variable, rows: [Range<Int>], tape: Tape,
    isTraining: Bool = false
  ) -> Variable {
    precondition(
      rows.count == features.batch && features.channels == configuration.levels.map(\.inputs),
      "features \(features.channels) of \(features.batch) pictures, queries for \(rows.count)")
    let statistics: NormalizationStatistics =
      isTraining ? .batch : configuration.usesPictureStatistics ? .picture : .running
    let fused = fusion(features, tape, statistics)
    let embeddings = decoder(text, fused, queries: rows, tape)
    var pixels = fused
    if let detail {
      pixels = tape.spread(
        tape.linear(fused, detail.weight, bias: detail.bias), side: configuration.detail)
    }
    return tape.maskProducts(embeddings, pixels, queries: rows)
  }

  /// Probabilities `[queries, height, width, 1]` at the pictures' size.
  package func probabilities(
    _ features: DiffusionFeatures, queries: [Tensor], height: Int, width: Int
  ) -> Tensor {
    let tape = Tape(isRecording: false)
    let logits = logits(features, queries: queries, tape: tape)
    return sigmoid(tape.resize(logits, height: height, width: width).value)
  }
}
