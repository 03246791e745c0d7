import Foundation
import Schema
import Testing

/// Crops and flips: the arithmetic of `schema/README.md`, and what follows from it.
@Suite struct AugmentationTests {
  /// A row of `augmentations.json`, written by the Python tests' own implementation.
  private struct Row: Decodable {
    let seed: Int64
    let batch: Int
    let batchSize: Int
    let slot: Int
    let flip: Bool
    let crop: [Double]?
    let width: Int
    let height: Int
    /// x, y, width, height.
    let part: [Int]
    let flipped: Bool
  }

  @Test("every row of the golden file comes out")
  func golden() throws {
    let url = GoldenFiles.frameFolder.appendingPathComponent("augmentations.json")
    let rows = try JSONText.decode([Row].self, from: Array(Data(contentsOf: url)))
    #expect(rows.count >= 50)
    for row in rows {
      let request = try Augmentation.Request(flip: row.flip, crop: row.crop)
      let part = Augmentation(
        request, seed: row.seed, batch: row.batch, batchSize: row.batchSize, slot: row.slot,
        width: row.width, height: row.height)
      let found: [Int] = [part.x, part.y, part.width, part.height]
      #expect(found == row.part, "\(row)")
      #expect(part.isFlipped == row.flipped, "\(row)")
    }
  }

  @Test("crops lie inside the image, keep to the share of the area, and half are flipped")
  func bounds() throws {
    let request = try Augmentation.Request(flip: true, crop: [0.25, 0.5])
    var flipped = 0
    for slot in 0..<2000 {
      let part = Augmentation(
        request, seed: 7, batch: 3, batchSize: 2000, slot: slot, width: 100, height: 80)
      #expect(part.x >= 0 && part.x + part.width <= 100)
      #expect(part.y >= 0 && part.y + part.height <= 80)
      let share = Double(part.width * part.height) / 8000
      #expect(share > 0.24 && share < 0.51, "\(part)")  // Whole pixels: within 2 %.
      flipped += part.isFlipped ? 1 : 0
    }
    #expect((900...1100).contains(flipped))  // 4.5 standard deviations of 2,000 coins.
  }

  @Test("nothing asked for leaves the image whole; an impossible crop takes the largest middle")
  func wholes() throws {
    let none = try Augmentation.Request(flip: false, crop: nil)
    let whole = Augmentation(none, seed: 1, batch: 0, batchSize: 1, slot: 0, width: 9, height: 5)
    #expect(whole == Augmentation(whole: 9, 5))
    let full = try Augmentation.Request(flip: false, crop: [1, 1])
    let narrow = Augmentation(full, seed: 1, batch: 0, batchSize: 1, slot: 0, width: 8, height: 64)
    var middle = Augmentation(whole: 8, 11)
    middle.y = 26
    #expect(narrow == middle)
  }

  @Test("crops outside 0 to 1 are refused")
  func refuses() {
    for crop in [[0.0, 1.0], [0.5, 0.4], [0.5, 1.1], [0.5], [], [-1, 1], [Double.nan, 1]] {
      #expect(throws: SchemaError.self) { try Augmentation.Request(flip: false, crop: crop) }
    }
  }
}
