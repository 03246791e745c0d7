import Foundation
import Imaging
package import Schema

/// The drawings of all categories, read from a folder with one subfolder of RGBA PNGs per
/// category; the subfolder's name is the category.
package struct SpriteLibrary: Sendable {
  /// Pixels of all sprites together, about a gibibyte of memory.
  static let maximumPixels = 192 << 20

  /// The folder.
  package let path: String
  /// Hash of all names and bytes, with the version of the engine's drawing rules.
  package let fingerprint: String
  private let spritesByCategory: [CategoryName: [Sprite]]

  /// Reads a folder. Files in it, other files than PNGs in its subfolders, and hidden ones do not
  /// count.
  ///
  /// - Throws: ``GeneratorError/Code/badSprites`` with the first thing that is wrong.
  package init(folder path: String) throws(GeneratorError) {
    let names = try Self.entries(of: path).filter { Self.isFolder(path + "/" + $0) }
    guard !names.isEmpty else {
      throw GeneratorError(
        .badSprites,
        "\(path): no folder of a category; expected one folder of RGBA PNGs for each")
    }
    var drawings: [CategoryName: [Sprite]] = [:]
    var hash = ContentHash()
    var pixelCount = 0
    for name in names {
      let folder = path + "/" + name
      let category = try Self.category(name, folder: folder)
      guard drawings[category] == nil else {
        throw GeneratorError(
          .badSprites, "\(folder): another folder is category '\(category)' already; join them")
      }
      hash.add(Array(category.text.utf8))
      drawings[category] = try Self.sprites(folder, &hash, &pixelCount)
    }
    self.path = path
    spritesByCategory = drawings
    fingerprint = "scenes-1-" + hash.text
  }

  /// Makes a library of sprites in memory; `drawings` has at least one for each category.
  package init(drawings: [CategoryName: [Sprite]], fingerprint: String) {
    precondition(drawings.values.allSatisfy { !$0.isEmpty }, "a category without drawings")
    path = "memory"
    spritesByCategory = drawings
    self.fingerprint = fingerprint
  }

  /// The categories, in order.
  package var categories: [CategoryName] { spritesByCategory.keys.sorted() }

  /// The drawings of a category, in the order of their file names; nil when there are none.
  package func drawings(of category: CategoryName) -> [Sprite]? { spritesByCategory[category] }

  /// The drawings of a category, in the order of their file names.
  ///
  /// - Throws: ``GeneratorError/Code/categoryUnknown``.
  package func sprites(of category: CategoryName) throws(GeneratorError) -> [Sprite] {
    guard let sprites = spritesByCategory[category] else {
      throw GeneratorError(
        .categoryUnknown,
        "no sprite of '\(category)': \(path) has no folder of that name; "
          + "add one with RGBA PNGs, or see 'groundwell-generator categories'")
    }
    return sprites
  }

  private static func sprites(
    _ folder: String, _ hash: inout ContentHash, _ pixelCount: inout Int
  ) throws(GeneratorError) -> [Sprite] {
    let files = try entries(of: folder).filter { $0.lowercased().hasSuffix(".png") }
    guard !files.isEmpty else {
      throw GeneratorError(.badSprites, "\(folder): no PNG; expected at least one RGBA picture")
    }
    var sprites: [Sprite] = []
    for file in files {
      let sprite = try sprite(folder + "/" + file, &hash)
      pixelCount += sprite.width * sprite.height
      guard pixelCount <= maximumPixels else {
        throw GeneratorError(
          .badSprites,
          "\(folder)/\(file): the sprites up to this one have \(pixelCount) pixels; at most "
            + "\(maximumPixels) are held; give fewer or smaller ones")
      }
      sprites.append(sprite)
    }
    return sprites
  }

  private static func sprite(
    _ path: String, _ hash: inout ContentHash
  ) throws(GeneratorError) -> Sprite {
    do throws(ImagingError) {
      let bytes = try PNG.bytes(ofFile: path)
      guard try PNG.header(of: bytes, name: path).hasAlpha else {
        throw ImagingError(
          .badPNG,
          "\(path): a picture without transparency; a sprite is RGBA, with its "
            + "surroundings transparent")
      }
      hash.add(bytes)
      let image = try PNG.decodeRGBA(bytes, name: path)
      guard let sprite = Sprite(image, name: path) else {
        throw ImagingError(.badPNG, "\(path): no pixel is at least half opaque")
      }
      return sprite
    } catch {
      throw GeneratorError(.badSprites, error.message, cause: error.cause)
    }
  }

  private static func category(
    _ name: String, folder: String
  ) throws(GeneratorError) -> CategoryName {
    do throws(SchemaError) {
      return try CategoryName(name)
    } catch {
      throw GeneratorError(
        .badSprites, "\(folder): the folder's name is no category: \(error.message)")
    }
  }

  /// The names in a folder that are not hidden, in the order of their scalars.
  private static func entries(of path: String) throws(GeneratorError) -> [String] {
    guard isFolder(path) else {
      throw GeneratorError(.badSprites, "\(path): no such folder of sprites")
    }
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path)
        .filter { !$0.hasPrefix(".") }
        .sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
    } catch {
      throw GeneratorError(.badSprites, "\(path): cannot be listed", cause: error)
    }
  }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    // Safe: the call only writes the Boolean that it is given.
    return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }
}

/// A 64-bit hash of byte strings, each with its length; it tells sprite sets apart and is no
/// protection against forgery.
private struct ContentHash {
  private var state: UInt64 = 0x6A09_E667_F3BC_C908

  mutating func add(_ bytes: [UInt8]) {
    state = mix64(state ^ UInt64(bytes.count))
    var index = 0
    while index < bytes.count {
      var word: UInt64 = 0
      for offset in 0..<min(8, bytes.count - index) {
        word |= UInt64(bytes[index + offset]) << UInt64(8 * offset)
      }
      state = mix64(state &+ 0x9E37_79B9_7F4A_7C15 ^ word)
      index += 8
    }
  }

  var text: String {
    let digits = String(state, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
