import Foundation
import Imaging
import Schema
import TestSupport
import Testing

@testable import Generator

/// Protocol I on scenes: what its pictures hold, and scores that are known by hand.
@Suite struct ProtocolOneTests {
  private static let resources =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
    + "/Sources/Generator/Resources/"

  private func scenes() throws -> (ScenePictures, Split) {
    let split = try Split.named("stickers-2", folder: Self.resources + "splits")
    let library = try SpriteLibrary(folder: Self.resources + "sprites")
    return (ScenePictures(library: library, split: split, side: 64), split)
  }

  @Test("each kind of picture shows as many categories, seen and unseen, as it says")
  func cells() throws {
    let (scenes, split) = try scenes()
    let (seen, unseen) = (Set(split.seen), Set(split.unseen))
    for cell in ProtocolCell.allCases {
      let pictures = try scenes.pictures(cell, count: 14, seed: 3)
      for picture in pictures {
        let categories = picture.masks.map(\.category)
        #expect(Set(categories).count == cell.objectCount)
        let seenCount = categories.filter(seen.contains).count
        let expected: ClosedRange<Int> =
          switch cell {
          case .oneSeen: 1...1
          case .twoSeen: 2...2
          case .twoMixed: 1...1
          case .oneUnseen, .twoUnseen: 0...0
          }
        #expect(expected.contains(seenCount), "\(cell): \(categories)")
        #expect(categories.allSatisfy { seen.contains($0) || unseen.contains($0) })
      }
      #expect(Set(pictures.flatMap { $0.masks.map(\.category) }).count >= 12)
    }
  }

  @Test("pictures of a folder are sorted by what they show; masks of one category count together")
  func labelledFolder() throws {
    let split = try Split.named("stickers-2", folder: Self.resources + "splits")
    let (seen, unseen) = (split.seen[0].text, split.unseen.prefix(2).map(\.text))
    let directory = try TemporaryDirectory()
    var lines = ["image,mask,category,prompt"]
    func add(_ name: String, _ categories: [String]) throws {
      try PNG.write(
        RGBImage(width: 8, height: 8, pixels: [UInt8](repeating: 90, count: 192)),
        to: directory.file("\(name).png"))
      for (index, category) in categories.enumerated() {
        var values = [UInt8](repeating: 0, count: 64)
        for pixel in 16 * index..<16 * index + 8 { values[pixel] = 1 }
        try PNG.write(
          BinaryMask(width: 8, height: 8, values: values),
          to: directory.file("\(name)-\(index).png"))
        lines.append("\(name).png,\(name)-\(index).png,\(category),a prompt of \(name)")
      }
    }
    try add("one", [seen])
    try add("twice", [unseen[0], unseen[0]])
    try add("mixed", [unseen[1], seen])
    try add("other", ["no such thing"])
    try add("three", [seen] + unseen)
    try Data(lines.joined(separator: "\n").utf8).write(
      to: URL(fileURLWithPath: directory.file("prompts.csv")))
    let labelled = try LabelledPictures(folder: directory.path, split: split, side: 16)
    #expect(labelled.skipped == 2)
    #expect(labelled.pictures[.oneSeen]?.map(\.prompt) == ["a prompt of one"])
    #expect(labelled.pictures[.oneUnseen]?.first?.masks.map(\.mask.pixelCount) == [64])
    #expect(labelled.pictures[.twoMixed]?.first?.image.width == 16)
    #expect(labelled.pictures.count == 3)
    let scores = try ProtocolOne(labelled).scores(PerfectForeground())
    #expect(scores.map(\.queries) == [1, 1, 0, 2, 0])
    let table = ProtocolOne.table(scores)
    #expect(table.contains("| perfect foreground | 100.0 | 100.0 | – | 50.0 | – |"))
    try Data("image,mask,category\n".utf8).write(
      to: URL(fileURLWithPath: directory.file("prompts.csv")))
    let error = #expect(throws: GeneratorError.self) {
      _ = try LabelledPictures(folder: directory.path, split: split, side: 16)
    }
    #expect(error?.message.contains("no picture of one or two categories of the split") == true)
  }

  @Test("a perfect foreground is perfect on one object and half of two")
  func floors() throws {
    let (scenes, _) = try scenes()
    let measure = try ProtocolOne(scenes, picturesPerCell: 10, seed: 1)
    let scores = try measure.scores(PerfectForeground())
    #expect(scores.map(\.queries) == [10, 10, 20, 20, 20])
    #expect(scores[0].mean == 1 && scores[1].mean == 1)
    #expect((0.2..<0.8).contains(scores[2].mean))
    #expect(scores[0].rightOne == nil)
    // The larger object of each picture agrees more with both together than the smaller.
    #expect(scores[2].rightOne == 0.5 && scores[4].rightOne == 0.5)
    let whole = try measure.scores(WholeImage())
    #expect(zip(whole, scores).allSatisfy { $0.mean < $1.mean })
    let table = ProtocolOne.table(scores + whole)
    #expect(table.contains("| perfect foreground | 100.0 | 100.0 |"))
  }

  @Test("the same seed draws the same pictures, another seed others")
  func repeats() throws {
    let (scenes, _) = try scenes()
    let pictures = try [1, 1, 2].map { try scenes.pictures(.twoSeen, count: 3, seed: $0) }
    #expect(pictures[0].map(\.image) == pictures[1].map(\.image))
    #expect(pictures[0].map(\.image) != pictures[2].map(\.image))
  }
}
