package import Foundation

/// What a network predicts about a noisy latent.
package enum PredictionType: String, Sendable, Decodable {
  /// The noise.
  case epsilon
  /// √ᾱ·noise − √(1−ᾱ)·latent (Salimans and Ho, 2022).
  case velocity = "v_prediction"
  /// The latent without noise.
  case sample
}

/// How the timesteps of a sampler are spread over the schedule (Lin et al., "Common Diffusion Noise
/// Schedules and Sample Steps are Flawed", 2023, table 2).
package enum TimestepSpacing: String, Sendable, Decodable {
  case linspace, leading, trailing
}

/// The samplers there are.
package enum SamplerKind: String, Sendable, CaseIterable {
  case ddim, pndm, euler, dpm, lcm
}

/// `scheduler/scheduler_config.json`: the noise schedule and the choices of the sampler.
package struct NoiseSchedule: Sendable {
  /// The sampler that the file names.
  package let kind: SamplerKind
  /// What the network predicts.
  package let prediction: PredictionType
  /// How timesteps are spread.
  package let spacing: TimestepSpacing
  /// ᾱ of every training timestep.
  package let alphasCumulativeProduct: [Double]
  let stepsOffset: Int
  let setAlphaToOne: Bool
  /// Bound of the predicted latent, where it is clipped.
  let clipRange: Float?
  let originalSteps: Int
  let timestepScaling: Double
  let finalSigmaIsZero: Bool
  let lowerOrderFinal: Bool
  let eulerAtFinal: Bool
  let solverOrder: Int

  /// How many training timesteps there are.
  package var trainingSteps: Int { alphasCumulativeProduct.count }
  /// ᾱ behind the last step.
  var finalAlpha: Double { setAlphaToOne ? 1 : alphasCumulativeProduct[0] }
  /// ᾱ at `timestep`, or behind the last step when it is negative.
  func alpha(_ timestep: Int) -> Double {
    timestep >= 0 ? alphasCumulativeProduct[timestep] : finalAlpha
  }
  /// √((1−ᾱ)/ᾱ) of every training timestep.
  var sigmas: [Double] { alphasCumulativeProduct.map { ((1 - $0) / $0).squareRoot() } }

  private struct Published: Decodable {
    var _class_name: String?
    var num_train_timesteps: Int?
    var beta_start: Double?
    var beta_end: Double?
    var beta_schedule: String?
    var trained_betas: [Double]?
    var prediction_type: String?
    var timestep_spacing: String?
    var steps_offset: Int?
    var set_alpha_to_one: Bool?
    var clip_sample: Bool?
    var clip_sample_range: Float?
    var thresholding: Bool?
    var rescale_betas_zero_snr: Bool?
    var skip_prk_steps: Bool?
    var original_inference_steps: Int?
    var timestep_scaling: Double?
    var use_karras_sigmas: Bool?
    var use_exponential_sigmas: Bool?
    var use_beta_sigmas: Bool?
    var use_lu_lambdas: Bool?
    var use_flow_sigmas: Bool?
    var interpolation_type: String?
    var final_sigmas_type: String?
    var algorithm_type: String?
    var solver_type: String?
    var solver_order: Int?
    var lower_order_final: Bool?
    var euler_at_final: Bool?
  }

  /// Reads the JSON of a `scheduler_config.json`.
  ///
  /// - Parameter kind: the sampler to use instead of the one that the file names; what the file
  ///   does not say then has that sampler's defaults.
  /// - Throws: ``GeneratorError/Code/badConfiguration``.
  package init(json: Data, file: String, kind override: SamplerKind? = nil) throws(GeneratorError) {
    let published = try decodeConfiguration(Published.self, json, file: file)
    func refused(_ message: String) -> GeneratorError {
      GeneratorError(.badConfiguration, "\(file): \(message)")
    }
    let named = published._class_name.flatMap { Self.kinds[$0] }
    guard let kind = override ?? named else {
      throw refused(
        "unknown sampler '\(published._class_name ?? "")'; expected one of "
          + Self.kinds.keys.sorted().joined(separator: ", "))
    }
    self.kind = kind
    guard let prediction = PredictionType(rawValue: published.prediction_type ?? "epsilon") else {
      throw refused("unknown prediction_type '\(published.prediction_type ?? "")'")
    }
    self.prediction = prediction
    // A spacing that the file gives for its own sampler says nothing about another one.
    let defaultSpacing: TimestepSpacing =
      kind == .euler || kind == .dpm ? .linspace : .leading
    let spacing = TimestepSpacing(rawValue: published.timestep_spacing ?? defaultSpacing.rawValue)
    guard let spacing else {
      throw refused("unknown timestep_spacing '\(published.timestep_spacing ?? "")'")
    }
    self.spacing = spacing
    alphasCumulativeProduct = try Self.alphas(published, file: file)
    stepsOffset = published.steps_offset ?? 0
    setAlphaToOne = published.set_alpha_to_one ?? (kind != .pndm)
    clipRange =
      published.clip_sample ?? (kind == .ddim && named == .ddim)
      ? published.clip_sample_range ?? 1 : nil
    originalSteps = published.original_inference_steps ?? 50
    timestepScaling = published.timestep_scaling ?? 10
    finalSigmaIsZero = (published.final_sigmas_type ?? "zero") == "zero"
    lowerOrderFinal = published.lower_order_final ?? true
    eulerAtFinal = published.euler_at_final ?? false
    solverOrder = published.solver_order ?? 2
    guard (0...trainingSteps / 2).contains(stepsOffset),
      (1...trainingSteps).contains(originalSteps), timestepScaling.isFinite,
      (1...2).contains(solverOrder), (clipRange ?? 1) > 0
    else { throw refused("steps_offset, original_inference_steps or solver_order is out of range") }
    try Self.checkUnsupported(published, kind: kind, file: file)
  }

  private static let kinds: [String: SamplerKind] = [
    "DDIMScheduler": .ddim, "PNDMScheduler": .pndm, "EulerDiscreteScheduler": .euler,
    "DPMSolverMultistepScheduler": .dpm, "LCMScheduler": .lcm,
  ]

  private static func checkUnsupported(
    _ published: Published, kind: SamplerKind, file: String
  ) throws(GeneratorError) {
    let supported: [(String, Bool)] = [
      ("thresholding", published.thresholding != true),
      ("rescale_betas_zero_snr", published.rescale_betas_zero_snr != true),
      ("skip_prk_steps", kind != .pndm || published.skip_prk_steps != false),
      ("use_karras_sigmas", published.use_karras_sigmas != true),
      ("use_exponential_sigmas", published.use_exponential_sigmas != true),
      ("use_beta_sigmas", published.use_beta_sigmas != true),
      ("use_lu_lambdas", published.use_lu_lambdas != true),
      ("use_flow_sigmas", published.use_flow_sigmas != true),
      ("interpolation_type", published.interpolation_type ?? "linear" == "linear"),
      (
        "final_sigmas_type",
        ["zero", "sigma_min"].contains(published.final_sigmas_type ?? "zero")
      ),
      ("algorithm_type", published.algorithm_type ?? "dpmsolver++" == "dpmsolver++"),
      ("solver_type", published.solver_type ?? "midpoint" == "midpoint"),
    ]
    if let (name, _) = supported.first(where: { !$0.1 }) {
      throw GeneratorError(.badConfiguration, "\(file): this value of \(name) is not supported")
    }
  }

  private static func alphas(_ published: Published, file: String) throws(GeneratorError)
    -> [Double]
  {
    let count = published.trained_betas?.count ?? published.num_train_timesteps ?? 1000
    let (start, end) = (published.beta_start ?? 0.0001, published.beta_end ?? 0.02)
    guard (2...100_000).contains(count), start > 0, end < 1, start <= end else {
      throw GeneratorError(
        .badConfiguration, "\(file): \(count) timesteps with betas from \(start) to \(end)")
    }
    func line(_ from: Double, _ to: Double) -> [Double] {
      (0..<count).map { from + (to - from) * Double($0) / Double(count - 1) }
    }
    let betas: [Double]
    switch published.beta_schedule ?? "linear" {
    case _ where published.trained_betas != nil: betas = published.trained_betas ?? []
    case "linear": betas = line(start, end)
    case "scaled_linear": betas = line(start.squareRoot(), end.squareRoot()).map { $0 * $0 }
    case let other:
      throw GeneratorError(
        .badConfiguration,
        "\(file): unknown beta_schedule '\(other)'; expected 'linear' or 'scaled_linear'")
    }
    guard betas.allSatisfy({ $0 > 0 && $0 < 1 }) else {
      throw GeneratorError(.badConfiguration, "\(file): trained_betas lie outside 0 to 1")
    }
    var product = 1.0
    return betas.map { beta in
      product *= 1 - beta
      return product
    }
  }

  /// The timesteps of DDIM and PNDM before their order is changed, from high to low.
  ///
  /// - Precondition: `steps` is 1 to ``trainingSteps``.
  func spacedTimesteps(_ steps: Int) -> [Int] {
    let count = trainingSteps
    let timesteps: [Int]
    switch spacing {
    case .leading:
      timesteps = (0..<steps).reversed().map { $0 * (count / steps) + stepsOffset }
    case .linspace:
      timesteps = linspace(0, Double(count - 1), steps).reversed()
        .map { Int($0.rounded(.toNearestOrEven)) }
    case .trailing:
      timesteps = trailing(steps).map { Int($0) }
    }
    return timesteps.map { min(max($0, 0), count - 1) }
  }

  /// Timesteps from high to low, evenly spaced and ending one step above zero.
  func trailing(_ steps: Int) -> [Double] {
    (0..<steps).map {
      let value = Double(trainingSteps) - Double($0) * Double(trainingSteps) / Double(steps)
      return value.rounded(.toNearestOrEven) - 1
    }
  }

  /// σ at a timestep that may lie between two.
  func sigma(_ timestep: Double) -> Double {
    let table = sigmas
    let low = min(max(Int(timestep), 0), table.count - 1)
    let high = min(low + 1, table.count - 1)
    return table[low] + (table[high] - table[low]) * (timestep - Double(low))
  }
}

/// `count` numbers from `start` to `end`, both included.
func linspace(_ start: Double, _ end: Double, _ count: Int) -> [Double] {
  guard count > 1 else { return [start] }
  return (0..<count).map { start + (end - start) * Double($0) / Double(count - 1) }
}
