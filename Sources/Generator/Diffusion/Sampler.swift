import Foundation

/// A rule that turns predictions into a latent with less noise, one step at a time.
package protocol Sampler {
  /// The timestep of each evaluation of the network.
  var timesteps: [Double] { get }
  /// What the first noise is multiplied by.
  var initialScale: Double { get }
  /// What the latent is multiplied by before the network sees it at `stepIndex`.
  func inputScale(_ stepIndex: Int) -> Double
  /// The latent after step `stepIndex`.
  ///
  /// - Parameters:
  ///   - prediction: what the network said about `latent`.
  ///   - noise: draws fresh noise of the latent's shape, for rules that add some.
  /// - Postcondition: rules of several steps remember the prediction; steps come in order.
  mutating func step(
    _ prediction: Tensor, latent: Tensor, stepIndex: Int, noise: () -> Tensor
  ) -> Tensor
}

extension Sampler {
  package var initialScale: Double { 1 }
  package func inputScale(_ stepIndex: Int) -> Double { 1 }
}

extension NoiseSchedule {
  /// A sampler of `steps` steps.
  ///
  /// - Throws: ``GeneratorError/Code/invalidArgument`` when the schedule has not that many.
  package func sampler(steps: Int) throws(GeneratorError) -> any Sampler {
    let limit = kind == .lcm ? originalSteps : trainingSteps
    guard (1...limit).contains(steps) else {
      throw GeneratorError(.invalidArgument, "\(steps) steps; expected 1 to \(limit)")
    }
    switch kind {
    case .ddim: return DDIMSampler(self, steps: steps)
    case .pndm: return PNDMSampler(self, steps: steps)
    case .euler: return EulerSampler(self, steps: steps)
    case .dpm: return DPMSampler(self, steps: steps)
    case .lcm: return LCMSampler(self, steps: steps)
    }
  }

  /// The latent without noise and the noise that `prediction` stands for at ᾱ = `alpha`.
  func split(_ prediction: Tensor, latent: Tensor, alpha: Double) -> (clean: Tensor, noise: Tensor)
  {
    let (a, b) = (Float(alpha.squareRoot()), Float((1 - alpha).squareRoot()))
    let clean: Tensor
    let noise: Tensor
    switch self.prediction {
    case .epsilon:
      clean = combine(1 / a, latent, -b / a, prediction)
      noise = prediction
    case .sample:
      clean = prediction
      noise = combine(1 / b, latent, -a / b, prediction)
    case .velocity:
      clean = combine(a, latent, -b, prediction)
      noise = combine(b, latent, a, prediction)
    }
    guard let clipRange else { return (clean, noise) }
    let clipped = clean.values.map { min(max($0, -clipRange), clipRange) }
    return (clean.workspace.tensor(clipped, shape: clean.shape), noise)
  }

}

/// Song, Meng and Ermon, "Denoising Diffusion Implicit Models", 2021, equation 12 with σ = 0.
package struct DDIMSampler: Sampler {
  /// See ``Sampler``.
  package let timesteps: [Double]
  private let schedule: NoiseSchedule
  private let stride: Int

  init(_ schedule: NoiseSchedule, steps: Int) {
    self.schedule = schedule
    timesteps = schedule.spacedTimesteps(steps).map { Double($0) }
    stride = schedule.trainingSteps / steps
  }

  /// See ``Sampler``.
  package func step(
    _ prediction: Tensor, latent: Tensor, stepIndex: Int, noise: () -> Tensor
  ) -> Tensor {
    let timestep = Int(timesteps[stepIndex])
    let (clean, direction) = schedule.split(
      prediction, latent: latent, alpha: schedule.alpha(timestep))
    let next = schedule.alpha(timestep - stride)
    return combine(
      Float(next.squareRoot()), clean, Float((1 - next).squareRoot()), direction)
  }
}

/// Liu et al., "Pseudo Numerical Methods for Diffusion Models on Manifolds", 2022: the linear
/// multi-step method, started by evaluating the second step twice as diffusers does with
/// `skip_prk_steps`.
package struct PNDMSampler: Sampler {
  /// See ``Sampler``.
  package let timesteps: [Double]
  private let schedule: NoiseSchedule
  private let stride: Int
  private var past: [Tensor] = []
  private var first: Tensor?

  init(_ schedule: NoiseSchedule, steps: Int) {
    self.schedule = schedule
    var order = schedule.spacedTimesteps(steps).map { Double($0) }
    if order.count > 1 { order.insert(order[1], at: 1) }
    timesteps = order
    stride = schedule.trainingSteps / steps
  }

  /// See ``Sampler``.
  package mutating func step(
    _ prediction: Tensor, latent: Tensor, stepIndex: Int, noise: () -> Tensor
  ) -> Tensor {
    var (from, to) = (Int(timesteps[stepIndex]), Int(timesteps[stepIndex]) - stride)
    var start = latent
    let estimate: Tensor
    if stepIndex == 1, let last = past.last, let first {
      (from, to) = (from + stride, from)
      start = first
      estimate = combine(0.5, prediction, 0.5, last)
      self.first = nil
    } else {
      past = past.suffix(3) + [prediction]
      if stepIndex == 0 { first = latent }
      estimate = multistep()
    }
    return move(start, from: min(from, schedule.trainingSteps - 1), to: to, estimate)
  }

  /// Adams-Bashforth of the order that the past allows.
  private func multistep() -> Tensor {
    let weights: [Float]
    switch past.count {
    case 1: weights = [1]
    case 2: weights = [3.0 / 2, -1.0 / 2]
    case 3: weights = [23.0 / 12, -16.0 / 12, 5.0 / 12]
    default: weights = [55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24]
    }
    var sum = combine(weights[0], past[past.count - 1], 0, past[past.count - 1])
    for (weight, value) in zip(weights, past.reversed()).dropFirst() {
      sum = combine(weight, value, 1, sum)
    }
    return sum
  }

  /// Equation 9 of the paper.
  private func move(_ latent: Tensor, from: Int, to: Int, _ estimate: Tensor) -> Tensor {
    let (a, next) = (schedule.alpha(from), schedule.alpha(to))
    var noise = estimate
    if schedule.prediction == .velocity {
      noise = combine(Float(a.squareRoot()), estimate, Float((1 - a).squareRoot()), latent)
    }
    let scale = (next / a).squareRoot()
    let denominator =
      a * (1 - next).squareRoot() + (a * (1 - a) * next).squareRoot()
    return combine(Float(scale), latent, Float(-(next - a) / denominator), noise)
  }
}

/// Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022,
/// algorithm 2 without added noise.
package struct EulerSampler: Sampler {
  /// See ``Sampler``.
  package let timesteps: [Double]
  /// See ``Sampler``.
  package let initialScale: Double
  private let sigmas: [Double]
  private let schedule: NoiseSchedule

  init(_ schedule: NoiseSchedule, steps: Int) {
    self.schedule = schedule
    let last = Double(schedule.trainingSteps - 1)
    switch schedule.spacing {
    case .linspace: timesteps = linspace(0, last, steps).reversed()
    case .leading, .trailing: timesteps = schedule.spacedTimesteps(steps).map { Double($0) }
    }
    let values = timesteps.map(schedule.sigma)
    let end = schedule.finalSigmaIsZero ? 0 : schedule.sigmas[0]
    sigmas = values + [end]
    let largest = values.max() ?? 1
    initialScale =
      schedule.spacing == .leading ? (largest * largest + 1).squareRoot() : largest
  }

  /// See ``Sampler``.
  package func inputScale(_ stepIndex: Int) -> Double {
    1 / (sigmas[stepIndex] * sigmas[stepIndex] + 1).squareRoot()
  }

  /// See ``Sampler``.
  package func step(
    _ prediction: Tensor, latent: Tensor, stepIndex: Int, noise: () -> Tensor
  ) -> Tensor {
    let sigma = sigmas[stepIndex]
    let change = Float(sigmas[stepIndex + 1] - sigma)
    // Slope = (latent − clean) / σ, with the clean latent written out per prediction type.
    let slope: Tensor
    switch schedule.prediction {
    case .epsilon: slope = prediction
    case .sample: slope = combine(Float(1 / sigma), latent, Float(-1 / sigma), prediction)
    case .velocity:
      let square = sigma * sigma + 1
      slope = combine(Float(sigma / square), latent, Float(1 / square.squareRoot()), prediction)
    }
    return combine(change, slope, 1, latent)
  }
}

/// Lu et al., "DPM-Solver++", 2022, algorithm 2 (2M): second order from two evaluations.
package struct DPMSampler: Sampler {
  /// See ``Sampler``.
  package let timesteps: [Double]
  private let sigmas: [Double]
  private let schedule: NoiseSchedule
  private var previous: Tensor?

  init(_ schedule: NoiseSchedule, steps: Int) {
    self.schedule = schedule
    let count = schedule.trainingSteps
    switch schedule.spacing {
    case .linspace:
      timesteps = linspace(0, Double(count - 1), steps + 1).dropFirst().reversed()
        .map { $0.rounded(.toNearestOrEven) }
    case .leading:
      timesteps = (1...steps).reversed()
        .map { min(Double($0 * (count / (steps + 1)) + schedule.stepsOffset), Double(count - 1)) }
    case .trailing: timesteps = schedule.trailing(steps)
    }
    sigmas =
      timesteps.map(schedule.sigma) + [schedule.finalSigmaIsZero ? 0 : schedule.sigmas[0]]
  }

  /// See ``Sampler``.
  package mutating func step(
    _ prediction: Tensor, latent: Tensor, stepIndex: Int, noise: () -> Tensor
  ) -> Tensor {
    let (sigma, next) = (sigmas[stepIndex], sigmas[stepIndex + 1])
    let clean = schedule.split(
      prediction, latent: latent, alpha: 1 / (sigma * sigma + 1)
    ).clean
    defer { previous = clean }
    // α = 1/√(σ²+1); the solver's own σ is α·σ, and λ = −ln σ.
    let alphaNext = 1 / (next * next + 1).squareRoot()
    let ratio = next * alphaNext / (sigma / (sigma * sigma + 1).squareRoot())
    // e^(−h) − 1 for h = λ_next − λ = ln(σ / σ_next).
    let decay = next / sigma - 1
    let isLast = stepIndex == timesteps.count - 1
    let isFirstOrder =
      schedule.solverOrder == 1
      || isLast
        && (schedule.eulerAtFinal || (schedule.lowerOrderFinal && timesteps.count < 15)
          || schedule.finalSigmaIsZero)
    guard let previous, !isFirstOrder else {
      return combine(Float(ratio), latent, Float(-alphaNext * decay), clean)
    }
    let step = log(sigma) - log(next)
    let lastStep = log(sigmas[stepIndex - 1]) - log(sigma)
    let slope = step / lastStep / 2
    let extrapolated = combine(Float(1 + slope), clean, Float(-slope), previous)
    return combine(Float(ratio), latent, Float(-alphaNext * decay), extrapolated)
  }
}

/// Luo et al., "Latent Consistency Models", 2023, algorithm 3.
package struct LCMSampler: Sampler {
  /// See ``Sampler``.
  package let timesteps: [Double]
  private let schedule: NoiseSchedule

  init(_ schedule: NoiseSchedule, steps: Int) {
    self.schedule = schedule
    let count = schedule.originalSteps
    let stride = schedule.trainingSteps / count
    let origin = (1...count).reversed().map { Double($0 * stride - 1) }
    timesteps = (0..<steps).map { origin[$0 * count / steps] }
  }

  /// See ``Sampler``.
  package func step(
    _ prediction: Tensor, latent: Tensor, stepIndex: Int, noise: () -> Tensor
  ) -> Tensor {
    let timestep = timesteps[stepIndex]
    let clean = schedule.split(
      prediction, latent: latent, alpha: schedule.alpha(Int(timestep))
    ).clean
    // Boundary conditions with σ_data = 0.5 (Song et al., "Consistency Models", 2023, equation 5).
    let scaled = timestep * schedule.timestepScaling
    let skip = 0.25 / (scaled * scaled + 0.25)
    let out = scaled / (scaled * scaled + 0.25).squareRoot()
    let denoised = combine(Float(out), clean, Float(skip), latent)
    guard stepIndex + 1 < timesteps.count else { return denoised }
    let next = schedule.alpha(Int(timesteps[stepIndex + 1]))
    return combine(
      Float(next.squareRoot()), denoised, Float((1 - next).squareRoot()), noise())
  }
}
