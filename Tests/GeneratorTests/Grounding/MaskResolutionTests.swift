import Schema
import Testing

@testable import Generator

/// Probabilities to masks, and masks to their parts, by hand.
@Suite struct MaskResolutionTests {
  private let workspace = Workspace(threadCount: 1)

  private func probabilities(_ rows: [[Float]]) -> Tensor {
    workspace.tensor(rows.flatMap { $0 }, shape: [rows.count, 1, rows[0].count, 1])
  }

  @Test("the most probable category takes a pixel from the threshold on")
  func argmax() {
    let found = MaskResolution()(probabilities([[0.9, 0.6, 0.2, 0.5], [0.1, 0.7, 0.4, 0.3]]))
    #expect(found.labels == [1, 2, 0, 1])
    #expect(found.masks.map(\.values) == [[1, 0, 0, 1], [0, 1, 0, 0]])
    #expect(abs(found.confidences[0] - 0.7) < 1e-6)
    #expect(abs(found.confidences[1] - 0.7) < 1e-6)
  }

  @Test("the band below the threshold is neither object nor background")
  func band() {
    var rule = MaskResolution()
    (rule.threshold, rule.ignoreBand) = (0.6, 0.1)
    let found = rule(probabilities([[0.6, 0.55, 0.49]]))
    #expect(found.labels == [1, MaskResolution.ignoreLabel, 0])
    #expect(found.masks[0].values == [1, 0, 0])
  }

  @Test("independent masks may overlap; a category that is not there has no confidence")
  func independent() {
    var rule = MaskResolution()
    rule.isIndependent = true
    let found = rule(probabilities([[0.9, 0.6], [0.8, 0.2], [0.1, 0.1]]))
    #expect(found.masks.map(\.values) == [[1, 1], [1, 0], [0, 0]])
    #expect(found.confidences[2] == 0)
  }

  @Test("parts touch by sides and corners, largest first, and small ones may be left out")
  func parts() {
    let mask = BinaryMask(
      width: 5, height: 4,
      values: [
        1, 0, 0, 1, 1,
        0, 1, 0, 0, 1,
        0, 0, 0, 0, 0,
        1, 0, 0, 0, 1,
      ])
    let parts = mask.components()
    #expect(parts.map(\.pixelCount) == [3, 2, 1, 1])
    #expect(parts[1].values[0] == 1 && parts[1].values[6] == 1)
    #expect(parts[2].values[15] == 1)
    #expect(mask.components(minimumPixels: 2).count == 2)
    #expect(BinaryMask(width: 2, height: 1, values: [0, 0]).components().isEmpty)
    // A part that is found from above and goes up again.
    let valley = BinaryMask(width: 3, height: 2, values: [1, 0, 1, 0, 1, 0])
    #expect(valley.components().map(\.pixelCount) == [3])
  }
}
