import Schema

/// A way to find the masks of named categories, to be measured.
package protocol MaskMethod {
  /// Its name in tables.
  var name: String { get }
  /// Its name without its settings: a chart shows the best of each family.
  var family: String { get }
  /// One mask, `height * width` values of 0 or 1, for each mask of each picture, in order.
  func masks(_ pictures: [TrainingExample]) throws(GeneratorError) -> [[UInt8]]
}

extension MaskMethod {
  package var family: String { name }
}

/// The floor of a mask that covers everything.
package struct WholeImage: MaskMethod {
  package let name = "whole image"

  /// Creates it.
  package init() {}

  package func masks(_ pictures: [TrainingExample]) -> [[UInt8]] {
    pictures.flatMap { picture in
      picture.masks.map { [UInt8](repeating: 1, count: $0.mask.values.count) }
    }
  }
}

/// The floor of a perfect foreground that knows no names: all objects together.
package struct PerfectForeground: MaskMethod {
  package let name = "perfect foreground"

  /// Creates it.
  package init() {}

  package func masks(_ pictures: [TrainingExample]) -> [[UInt8]] {
    pictures.flatMap { picture in
      var union = [UInt8](repeating: 0, count: picture.counts.count)
      for (_, mask) in picture.masks {
        for (index, value) in mask.values.enumerated() { union[index] |= value }
      }
      return picture.masks.map { _ in union }
    }
  }
}

/// A trained module, each category by itself from probability 0.5 on, as the paper measures.
package struct ModuleMethod: MaskMethod {
  package let name: String
  private let grounder: Grounder

  /// Measures a module.
  package init(_ grounder: Grounder, name: String = "grounding module") {
    self.grounder = grounder
    self.name = name
  }

  package func masks(_ pictures: [TrainingExample]) throws(GeneratorError) -> [[UInt8]] {
    let (model, image) = (grounder.model, pictures[0].image)
    let features = try model.features(
      of: model.latents(pictures), prompts: pictures.map(\.prompt),
      seeds: pictures.map { UInt64(bitPattern: $0.triplet) },
      configuration: grounder.module.configuration)
    let queries = try pictures.map { picture throws(GeneratorError) in
      try grounder.queries(picture.masks.map(\.category.text))
    }
    let found = grounder.module.probabilities(
      features, queries: queries, height: image.height, width: image.width)
    return (0..<found.shape[0]).map { row in
      found.slice(row..<row + 1).values.map { $0 > 0.5 ? 1 : 0 }
    }
  }
}

/// Heat maps of the categories of pictures, each computed once for all thresholds.
///
/// Cross-attention of the picture's own prompt over several timesteps, see ``AttentionHeatMaps``.
package final class AttentionHeat {
  private let model: DiffusionModel
  private let timesteps: [Int]
  /// How often the map is propagated by the attention of pixels to pixels.
  let propagations: Int
  private var kept: [String: [[Float]]] = [:]

  /// Maps of a base model's attention, propagated by that of pixels to pixels if asked for.
  package init(_ model: DiffusionModel, timesteps: [Int], propagations: Int = 0) {
    self.model = model
    self.timesteps = timesteps
    self.propagations = propagations
  }

  /// The map of each mask's category, `height * width` values of 0 to 1, in order.
  func maps(_ pictures: [TrainingExample]) throws(GeneratorError) -> [[Float]] {
    let names = pictures.map { "\($0.triplet) \($0.prompt)" }
    let missing = pictures.indices.filter { kept[names[$0]] == nil }
    if !missing.isEmpty {
      let found = try computed(missing.map { pictures[$0] })
      for (place, maps) in zip(missing, found) { kept[names[place]] = maps }
    }
    return names.flatMap { kept[$0] ?? [] }
  }

  private func computed(_ pictures: [TrainingExample]) throws(GeneratorError) -> [[[Float]]] {
    let latents = try model.latents(pictures)
    let context = try model.embed(pictures.map(\.prompt)).embedding
    var maps = pictures.map { _ in
      AttentionHeatMaps(height: latents.shape[1], width: latents.shape[2])
    }
    let levels = model.unet.configuration.blockChannels.count
    let propagates = propagations > 0
    let request = UNetRequest { layer in
      propagates
        ? AttentionHeatMaps.isWantedToPropagate(layer, levels: levels)
        : AttentionHeatMaps.isWanted(layer)
    }
    for timestep in timesteps {
      let output = model.unet(
        try model.noised(latents, timestep: timestep, seed: UInt64(timestep)),
        timestep: Float(timestep), context: context,
        request: request)
      for row in maps.indices { maps[row].add(output.attention, row: row) }
    }
    return try zip(pictures, maps).map { picture, map throws(GeneratorError) in
      try picture.masks.map { category, _ throws(GeneratorError) in
        let tokens = try model.positions(of: category.text, in: picture.prompt).flatMap { $0 }
        return map.map(
          tokens: tokens, height: picture.image.height, width: picture.image.width,
          propagations: propagations)
      }
    }
  }
}

/// Attention above a threshold.
package struct AttentionMethod: MaskMethod {
  package let name: String
  package let family: String
  private let heat: AttentionHeat
  private let threshold: Float

  /// Measures heat maps at a threshold.
  package init(_ heat: AttentionHeat, threshold: Float) {
    self.heat = heat
    self.threshold = threshold
    family = heat.propagations > 0 ? "cross- times self-attention" : "DAAM"
    name = "\(family), threshold \(threshold)"
  }

  package func masks(_ pictures: [TrainingExample]) throws(GeneratorError) -> [[UInt8]] {
    try heat.maps(pictures).map { map in map.map { $0 > threshold ? 1 : 0 } }
  }
}

extension DiffusionModel {
  /// Pictures of one size as latents.
  func latents(_ pictures: [TrainingExample]) throws(GeneratorError) -> Tensor {
    let parts = try pictures.map { picture throws(GeneratorError) in
      try latent(of: picture.image)
    }
    return stackRows(parts, shape: [parts.count] + parts[0].shape.dropFirst())
  }
}
