package import Schema

/// A composed scene with all that it was composed of.
package struct Scene: Sendable {
  /// The image, its masks and its prompt.
  package let triplet: Triplet
  /// What is behind the objects.
  package let background: Background
  /// The objects from back to front.
  package let layers: [PlacedSprite]
  /// For each of `layers`, the place of its mask in the triplet.
  package let maskOrder: [Int]
}

/// Composes scenes: sprites on procedural backgrounds, with exact masks (Dwibedi et al., "Cut, Paste
/// and Learn", ICCV 2017; Ghiasi et al., "Simple Copy-Paste", CVPR 2021).
///
/// A scene depends on its item's category, size, seed and companions and on the sprites, and on
/// nothing else.
package struct SceneEngine: Sendable {
  /// The engine's name on the wire.
  package static let name = "scenes"
  /// Pixels along a side that it draws.
  package static let imageSides = 32...1024
  /// Layouts that are tried before the scene is one large object.
  private static let maximumLayouts = 12
  /// Below this share of an object, it counts as hidden.
  private static let minimumVisibleFraction = 0.25

  private let library: SpriteLibrary

  /// An engine that draws from a library.
  package init(library: SpriteLibrary) { self.library = library }

  /// Makes the triplet of an item.
  ///
  /// - Throws: ``GeneratorError/Code/categoryUnknown`` when no sprite shows its category,
  ///   ``GeneratorError/Code/invalidArgument`` for a size outside ``imageSides``.
  package func scene(
    for item: WorkItem, worker: String, createdMicroseconds: Int64
  ) throws(GeneratorError) -> Scene {
    guard Self.imageSides.contains(item.imageSize) else {
      throw GeneratorError(
        .invalidArgument,
        "an image size of \(item.imageSize); the scenes engine draws \(Self.imageSides.lowerBound)"
          + " to \(Self.imageSides.upperBound) pixels")
    }
    let sprites = try library.sprites(of: item.category)
    let key = mix64(UInt64(bitPattern: item.seed) ^ fnv1a64(item.category.text))
    let background = Background(random: CounterRandom(key: key, branch: 1))
    let painted = background.painted(side: item.imageSize)
    for attempt in 0...Self.maximumLayouts {
      var planner = ScenePlanner(
        library: library, item: item, sprites: sprites,
        random: CounterRandom(key: key, branch: UInt64(2 + attempt)))
      let layers = planner.layers(single: attempt == Self.maximumLayouts)
      var renderer = SceneRenderer(background: painted, side: item.imageSize)
      for layer in layers { renderer.draw(layer) }
      let masks = renderer.masks()
      let isLast = attempt == Self.maximumLayouts
      guard Self.areVisible(masks, renderer.unhiddenCounts, isLast: isLast) else { continue }
      return scene(
        of: layers, masks: masks, renderer: renderer, background: background, item: item,
        provenance: Provenance(
          engine: Self.name, modelFingerprint: library.fingerprint, seed: item.seed,
          worker: worker, createdMicroseconds: createdMicroseconds))
    }
    throw GeneratorError(
      .badSprites,
      "'\(item.category)': its sprites are too thin to be seen at \(item.imageSize) pixels")
  }

  /// Whether enough is left of every object: a quarter of it, and on the way there 8 pixels of a
  /// small image, a 512th of a large one.
  private static func areVisible(
    _ masks: [BinaryMask], _ unhiddenCounts: [Int], isLast: Bool
  ) -> Bool {
    zip(masks, unhiddenCounts).allSatisfy { mask, unhidden in
      let count = mask.pixelCount
      let minimum = isLast ? 1 : max(8, mask.width * mask.height / 512)
      return count >= minimum
        && Double(count) >= minimumVisibleFraction * Double(unhidden)
    }
  }

  private func scene(
    of layers: [PlacedSprite], masks: [BinaryMask], renderer: SceneRenderer,
    background: Background, item: WorkItem, provenance: Provenance
  ) -> Scene {
    // The category that was asked for comes first, then the others as they were chosen.
    let order = layers.indices.sorted { left, right in
      func rank(_ index: Int) -> (Int, String, Int) {
        let layer = layers[index]
        return (
          layer.category == item.category ? 0 : 1, layer.category.text, layer.instance
        )
      }
      return rank(left) < rank(right)
    }
    var maskOrder = [Int](repeating: 0, count: layers.count)
    var objects: [(category: CategoryName, count: Int)] = []
    for (place, index) in order.enumerated() {
      maskOrder[index] = place
      if objects.last?.category == layers[index].category {
        objects[objects.count - 1].count += 1
      } else {
        objects.append((layers[index].category, 1))
      }
    }
    let entries = order.map { index in
      let info = MaskInfo(
        category: layers[index].category, instance: layers[index].instance, source: .exact,
        confidence: 1,
        visibleFraction: Double(masks[index].pixelCount) / Double(renderer.unhiddenCounts[index]))
      return (info: info, mask: masks[index])
    }
    let image = RGBImage(width: item.imageSize, height: item.imageSize, pixels: renderer.pixels)
    let prompt = ScenePrompt.text(objects: objects, place: background.place)
    return Scene(
      triplet: Triplet(image: image, masks: entries, prompt: prompt, provenance: provenance),
      background: background, layers: layers, maskOrder: maskOrder)
  }
}
