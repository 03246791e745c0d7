import ArgumentParser
import Foundation
import Imaging
import Schema

/// `groundwell-generator scenes`.
struct ScenesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scenes", abstract: "Draws scenes into a contact sheet or a folder.",
    discussion: """
      An output that ends in .png is a contact sheet with the masks in colour; any other is a \
      folder, which gets every image, every mask and prompts.txt.
      """)

  @Option(help: "A category; give it again for more. All in turn when left out.")
  var category: [String] = []

  @Option(help: "Scenes to draw, 1 to 1000.")
  var count = 12

  @Option(help: "Pixels along a side, 32 to 1024.")
  var size = 64

  @Option(help: "Seed of the first scene; each next one adds 1.")
  var seed: Int64 = 1

  @Flag(help: "Show only the categories asked for, no others beside them.")
  var noCompanions = false

  @Option(name: [.short, .long], help: "The sheet (.png) or folder to write.")
  var output: String

  @OptionGroup var spriteOptions: SpriteOptions

  func validate() throws {
    guard (1...ContactSheet.maximumEntries).contains(count) else {
      throw ValidationError("--count is \(count); expected 1 to \(ContactSheet.maximumEntries)")
    }
    guard SceneEngine.imageSides.contains(size) else {
      throw ValidationError("--size is \(size); expected 32 to 1024")
    }
  }

  func run() throws {
    let library = try spriteOptions.library()
    let categories = try category.isEmpty ? library.categories : category.map(CategoryName.init)
    let companions =
      noCompanions ? [] : library.categories.map { Companion(category: $0, weight: 1) }
    let engine = SceneEngine(library: library)
    var triplets: [Triplet] = []
    for index in 0..<count {
      let item = WorkItem.local(
        categories[index % categories.count], size: size, seed: seed &+ Int64(index),
        companions: companions)
      triplets.append(try engine.scene(for: item, worker: "scenes", createdMicroseconds: 0).triplet)
    }
    if output.lowercased().hasSuffix(".png") {
      try PNG.write(try Self.sheet(triplets, size: size, seed: seed).render(), to: output)
    } else {
      try writeFolder(triplets)
    }
    print("\(count) scenes of \(size)x\(size) pixels in \(output)")
  }

  /// The scenes with and without their masks.
  static func sheet(_ triplets: [Triplet], size: Int, seed: Int64) -> ContactSheet {
    ContactSheet(
      title: "Scenes", subtitle: "\(triplets.count) of \(size)x\(size) pixels, seed \(seed)",
      tileSide: 192, showsPlainImage: true,
      entries: triplets.map { triplet in
        ContactSheet.Entry(
          image: triplet.image, captions: [triplet.prompt],
          masks: triplet.masks.map { ($0.info.category.text, $0.mask) })
      })
  }

  private func writeFolder(_ triplets: [Triplet]) throws {
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    var prompts = ""
    for (index, triplet) in triplets.enumerated() {
      let digits = "\(index)"
      let number = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      try PNG.write(triplet.image, to: "\(output)/\(number).png")
      for (info, mask) in triplet.masks {
        try PNG.write(mask, to: "\(output)/\(number) \(info.category) \(info.instance).png")
      }
      prompts += "\(number)\t\(triplet.prompt)\n"
    }
    try prompts.write(toFile: output + "/prompts.txt", atomically: true, encoding: .utf8)
  }
}
