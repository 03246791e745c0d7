import ArgumentParser
import Foundation
import Imaging
import Schema

/// `groundwell-generator categories`.
struct CategoriesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "categories", abstract: "Lists the categories that the scenes engine can draw.")

  @Flag(help: "Write JSON: each category with its number of drawings.")
  var json = false

  @Option(
    help: ArgumentHelp("Also write a contact sheet of all drawings.", valueName: "png"))
  var sheet: String?

  @OptionGroup var spriteOptions: SpriteOptions

  private struct Row: Encodable {
    let category: CategoryName
    let drawings: Int
  }

  func run() throws {
    let library = try spriteOptions.library()
    let rows = try library.categories.map {
      Row(category: $0, drawings: try library.sprites(of: $0).count)
    }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      print(String(decoding: try encoder.encode(rows), as: UTF8.self))
    } else {
      for row in rows { print("\(row.drawings)\t\(row.category)") }
      let drawings = rows.reduce(0) { $0 + $1.drawings }
      print("\(drawings) drawings of \(rows.count) categories in \(library.path)")
    }
    if let sheet { try PNG.write(try Self.sheet(library).render(), to: sheet) }
  }

  /// Every drawing on light gray, with its category.
  private static func sheet(_ library: SpriteLibrary) throws(GeneratorError) -> ContactSheet {
    var entries: [ContactSheet.Entry] = []
    for category in library.categories {
      for sprite in try library.sprites(of: category) {
        entries.append(
          ContactSheet.Entry(image: sprite.onGray(category, side: 96), captions: [category.text]))
      }
    }
    return ContactSheet(
      title: "Sprites",
      subtitle: "\(entries.count) drawings of \(library.categories.count) categories",
      columns: 20, tileSide: 96, entries: Array(entries.prefix(ContactSheet.maximumEntries)))
  }
}

extension Sprite {
  /// The sprite in the middle of a light gray square.
  func onGray(_ category: CategoryName, side: Int) -> RGBImage {
    let placement = Placement(
      x: Double(side) / 2, y: Double(side) / 2, scale: Double(side) / Double(max(width, height)),
      degrees: 0, isFlipped: false)
    var renderer = SceneRenderer(
      background: [UInt8](repeating: 226, count: side * side * 3), side: side)
    renderer.draw(
      placement.placed(
        self, category: category, instance: 0, side: side, gains: (256, 256, 256)))
    return RGBImage(width: side, height: side, pixels: renderer.pixels)
  }
}
