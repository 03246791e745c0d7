package import Schema

/// How the probabilities of several categories become masks.
package struct MaskResolution: Sendable, Equatable {
  /// The value of pixels in ``ResolvedMasks/labels`` that are neither object nor background.
  package static let ignoreLabel: UInt16 = 65535

  /// From this probability on, a pixel belongs to its most probable category.
  package var threshold: Float = 0.5
  /// Pixels whose largest probability lies less than this below the threshold are neither object nor
  /// background; 0 leaves none out.
  package var ignoreBand: Float = 0
  /// Whether masks may overlap: each category by itself, as the paper does.
  package var isIndependent = false

  /// The usual resolution.
  package init() {}

  /// Resolves probabilities.
  ///
  /// - Parameter probabilities: `[categories, height, width, 1]`.
  package func callAsFunction(_ probabilities: Tensor) -> ResolvedMasks {
    let (count, height, width) = (
      probabilities.shape[0], probabilities.shape[1], probabilities.shape[2]
    )
    let (values, pixels) = (probabilities.values, height * width)
    var labels = [UInt16](repeating: 0, count: pixels)
    for pixel in 0..<pixels {
      var (best, top) = (0, -Float.infinity)
      for category in 0..<count where values[category * pixels + pixel] > top {
        (best, top) = (category, values[category * pixels + pixel])
      }
      if top >= threshold {
        labels[pixel] = UInt16(best + 1)
      } else if top >= threshold - ignoreBand {
        labels[pixel] = Self.ignoreLabel
      }
    }
    let masks = (0..<count).map { category in
      BinaryMask(
        width: width, height: height,
        values: (0..<pixels).map { pixel in
          let isInside =
            isIndependent
            ? values[category * pixels + pixel] >= threshold
            : labels[pixel] == UInt16(category + 1)
          return isInside ? 1 : 0
        })
    }
    let confidences = masks.enumerated().map { category, mask in
      var sum = 0.0
      for pixel in 0..<pixels where mask.values[pixel] != 0 {
        sum += Double(values[category * pixels + pixel])
      }
      return mask.pixelCount == 0 ? 0 : sum / Double(mask.pixelCount)
    }
    return ResolvedMasks(labels: labels, masks: masks, confidences: confidences)
  }
}

/// Masks of several categories on one picture.
package struct ResolvedMasks: Sendable {
  /// `[height, width]`: 0 background, position + 1 of the categories,
  /// ``MaskResolution/ignoreLabel``.
  package let labels: [UInt16]
  /// One for each category; empty where it is not found.
  package let masks: [BinaryMask]
  /// The mean probability inside each mask, 0 for empty ones.
  package let confidences: [Double]
}

extension BinaryMask {
  /// The parts of a mask that touch by sides or corners, largest first; parts of fewer than
  /// `minimumPixels` are left out.
  package func components(minimumPixels: Int = 1) -> [BinaryMask] {
    var number = [Int](repeating: 0, count: values.count)
    var parts: [[Int]] = []
    for start in values.indices where values[start] != 0 && number[start] == 0 {
      var (part, waiting) = ([Int](), [start])
      number[start] = parts.count + 1
      while let pixel = waiting.popLast() {
        part.append(pixel)
        for neighbour in neighbours(of: pixel)
        where values[neighbour] != 0 && number[neighbour] == 0 {
          number[neighbour] = parts.count + 1
          waiting.append(neighbour)
        }
      }
      parts.append(part)
    }
    // Equal sizes stay in the order of their first pixel.
    return parts.enumerated().filter { $0.element.count >= minimumPixels }
      .sorted { ($1.element.count, $0.offset) < ($0.element.count, $1.offset) }
      .map { _, part in
        var pixels = [UInt8](repeating: 0, count: values.count)
        for pixel in part { pixels[pixel] = 1 }
        return BinaryMask(width: width, height: height, values: pixels)
      }
  }

  private func neighbours(of pixel: Int) -> [Int] {
    let (row, column) = (pixel / width, pixel % width)
    var found: [Int] = []
    for y in max(0, row - 1)...min(height - 1, row + 1) {
      for x in max(0, column - 1)...min(width - 1, column + 1) { found.append(y * width + x) }
    }
    return found
  }
}
