import Foundation
import Imaging
import Schema
import Testing

@testable import Generator

/// A user's own folder of sprites: what it may hold, and what each mistake gets.
@Suite struct SpriteLibraryTests {
  /// A folder that is gone when the test is over.
  private final class Folder {
    let path: String

    init() throws {
      path = NSTemporaryDirectory() + "sprites-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
      let file = URL(fileURLWithPath: path + "/" + name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes).write(to: file)
    }

    deinit {
      do { try FileManager.default.removeItem(atPath: path) } catch { Issue.record(error) }
    }
  }

  /// A disc of one colour on a transparent ground.
  private func disc(_ red: UInt8, _ green: UInt8, _ blue: UInt8, alpha: UInt8 = 255) -> RGBAImage {
    let pixels = (0..<(20 * 30)).flatMap { index -> [UInt8] in
      let (x, y) = (index % 30 - 15, index / 30 - 10)
      return x * x + y * y < 64 ? [red, green, blue, alpha] : [0, 0, 0, 0]
    }
    return RGBAImage(width: 30, height: 20, pixels: pixels)
  }

  private func message(_ folder: Folder) -> String? {
    let error = #expect(throws: GeneratorError.self) { try SpriteLibrary(folder: folder.path) }
    #expect(error?.code == .badSprites)
    return error?.message.replacingOccurrences(of: folder.path, with: "DIR")
  }

  @Test("folders are categories, PNGs are drawings, and nothing else counts")
  func readsFolders() throws {
    let folder = try Folder()
    try folder.write("Red  Disc/one.png", try PNG.encode(disc(250, 0, 0)))
    try folder.write("Red  Disc/two.PNG", try PNG.encode(disc(200, 0, 0)))
    try folder.write("Red  Disc/notes.txt", [1, 2, 3])
    try folder.write(".hidden/x.txt", [1])
    try folder.write("LICENSE.txt", [1])
    let library = try SpriteLibrary(folder: folder.path)
    #expect(library.categories.map(\.text) == ["red disc"])
    #expect(try library.sprites(of: CategoryName("red disc")).count == 2)
    #expect(library.fingerprint.hasPrefix("scenes-1-"))
  }

  @Test("a scene shows the sprite's own colour where its mask is")
  func keepsColors() throws {
    let folder = try Folder()
    try folder.write("disc/one.png", try PNG.encode(disc(60, 120, 240)))
    let engine = SceneEngine(library: try SpriteLibrary(folder: folder.path))
    var checked = 0
    for seed in 0..<20 {
      let item = WorkItem.local(
        try CategoryName("disc"), size: 64, seed: Int64(seed), companions: [])
      let scene = try engine.scene(for: item, worker: "test", createdMicroseconds: 0)
      try SceneCheck.verify(scene)
      let (triplet, mask) = (scene.triplet, scene.triplet.masks[0].mask)
      // A pixel well inside: the mask reaches 7 pixels from it to all sides.
      let inside = (7..<57).flatMap { y in (7..<57).map { x in y * 64 + x } }.filter { index in
        [0, -7, 7, -448, 448].allSatisfy { mask.values[index + $0] == 1 }
      }
      // A disc that is small or half hidden has no such pixel.
      guard let first = inside.first else { continue }
      checked += 1
      let at = first * 3
      let color = triplet.image.pixels[at..<(at + 3)].map(Int.init)
      // Gains of 0.76 to 1.18.
      #expect((45...71).contains(color[0]) && (90...142).contains(color[1]), "\(color)")
      #expect((182...255).contains(color[2]), "\(color)")
    }
    #expect(checked > 10)
  }

  @Test("the fingerprint follows the bytes")
  func fingerprints() throws {
    let folder = try Folder()
    try folder.write("disc/one.png", try PNG.encode(disc(60, 120, 240)))
    let before = try SpriteLibrary(folder: folder.path).fingerprint
    #expect(try SpriteLibrary(folder: folder.path).fingerprint == before)
    try folder.write("disc/one.png", try PNG.encode(disc(60, 120, 241)))
    #expect(try SpriteLibrary(folder: folder.path).fingerprint != before)
  }

  @Test("a folder that does not exist, and one without categories")
  func refusesEmptyFolders() throws {
    let folder = try Folder()
    #expect(
      message(folder)
        == "DIR: no folder of a category; expected one folder of RGBA PNGs for each")
    let missing = #expect(throws: GeneratorError.self) {
      try SpriteLibrary(folder: folder.path + "/none")
    }
    #expect(missing?.message == "\(folder.path)/none: no such folder of sprites")
    try folder.write("cat/readme.txt", [1])
    #expect(message(folder) == "DIR/cat: no PNG; expected at least one RGBA picture")
  }

  @Test("broken, empty and cut PNGs are named")
  func refusesBrokenPNGs() throws {
    let good = try PNG.encode(disc(1, 2, 3))
    let cases: [([UInt8], String)] = [
      ([], "DIR/cat/a.png: an empty file; expected a PNG"),
      (Array("GIF89a".utf8), "DIR/cat/a.png: not a PNG"),
      (Array(good[..<60]), "DIR/cat/a.png: a broken or truncated PNG"),
    ]
    for (bytes, expected) in cases {
      let folder = try Folder()
      try folder.write("cat/a.png", bytes)
      #expect(message(folder)?.hasPrefix(expected) == true)
    }
  }

  @Test("a picture without alpha and one that is nowhere opaque are named")
  func refusesOpaqueAndInvisible() throws {
    let folder = try Folder()
    let flat = RGBImage(width: 2, height: 2, pixels: [UInt8](repeating: 9, count: 12))
    try folder.write("cat/a.png", try PNG.encode(flat))
    #expect(
      message(folder) == "DIR/cat/a.png: a picture without transparency; a sprite is RGBA, with "
        + "its surroundings transparent")
    try folder.write("cat/a.png", try PNG.encode(disc(1, 2, 3, alpha: 127)))
    #expect(message(folder) == "DIR/cat/a.png: no pixel is at least half opaque")
    try folder.write("cat/a.png", try PNG.encode(disc(1, 2, 3, alpha: 128)))
    #expect(try SpriteLibrary(folder: folder.path).categories.count == 1)
  }

  @Test("a folder's name must be a category, and each category has one folder")
  func refusesNames() throws {
    let folder = try Folder()
    try folder.write("cat_1/a.png", try PNG.encode(disc(1, 2, 3)))
    #expect(
      message(folder)?.hasPrefix(
        "DIR/cat_1: the folder's name is no category: category name 'cat_1' holds '_'") == true)
    let twice = try Folder()
    try twice.write("Cat/a.png", try PNG.encode(disc(1, 2, 3)))
    try twice.write("cat/a.png", try PNG.encode(disc(1, 2, 3)))
    #expect(message(twice) == "DIR/cat: another folder is category 'cat' already; join them")
  }

  @Test("sprites are looked for where the user says, then in the share and beside the program")
  func findsSprites() throws {
    let folder = try Folder()
    func find(_ option: String?, _ environment: [String: String]) throws(GeneratorError) -> String {
      try ShareLocation.sprites(
        option: option, environment: environment, programFolder: folder.path + "/bin")
    }
    #expect(try find("mine", [:]) == "mine")
    let error = #expect(throws: GeneratorError.self) {
      try find(nil, ["GROUNDWELL_SHARE": "/nowhere"])
    }
    #expect(
      error?.message == "no sprites found; looked at /nowhere/sprites, "
        + "\(folder.path)/share/groundwell/sprites, "
        + "\(folder.path)/bin/groundwell_Generator.resources/sprites; "
        + "name a folder with --sprites, or set GROUNDWELL_SHARE")
    let build = folder.path + "/bin/groundwell_Generator.resources/sprites"
    try folder.write("bin/groundwell_Generator.resources/sprites/x", [])
    #expect(try find(nil, [:]) == build)
    try folder.write("share/groundwell/sprites/x", [])
    #expect(try find(nil, [:]) == folder.path + "/share/groundwell/sprites")
    try folder.write("own/sprites/x", [])
    #expect(
      try find(nil, ["GROUNDWELL_SHARE": folder.path + "/own"]) == folder.path + "/own/sprites")
  }
}
