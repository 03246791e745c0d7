import Foundation
import Schema
import Testing

@testable import Generator

/// The splits that come with the program, and what is refused in others.
@Suite struct SplitTests {
  private static let folder =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
    + "/Sources/Generator/Resources/"

  private func split(_ name: String) throws -> Split {
    try Split.named(name, folder: Self.folder + "splits")
  }

  @Test("every file is a split of its own name with the sizes of its kind")
  func sizes() throws {
    let names = Split.names(in: Self.folder + "splits")
    #expect(names.count == 10)
    for name in names {
      let split = try split(name)
      #expect(split.name == name)
      let sizes =
        name.hasPrefix("coco") ? (65, 15) : name.hasPrefix("stickers") ? (192, 64) : (15, 5)
      #expect((split.seen.count, split.unseen.count) == sizes, "\(name)")
    }
  }

  @Test("the three splits of a kind hold out different categories")
  func disjoint() throws {
    for kind in ["pascal", "coco", "stickers"] {
      let unseen = try (1...3).flatMap { try split("\(kind)-\($0)").unseen }
      #expect(Set(unseen).count == unseen.count, "\(kind)")
    }
  }

  @Test("sticker splits cover the model's categories and follow PASCAL's")
  func stickers() throws {
    let text = try String(
      contentsOfFile: Self.folder + "stickers/categories.txt", encoding: .utf8)
    let categories = Set(text.split(separator: "\n").map(String.init))
    for number in 1...3 {
      let (stickers, pascal) = (try split("stickers-\(number)"), try split("pascal-\(number)"))
      #expect(Set((stickers.seen + stickers.unseen).map(\.text)) == categories)
      let names = Set(categories)
      for category in pascal.seen where names.contains(category.text) {
        #expect(stickers.seen.contains(category), "\(category) in stickers-\(number)")
      }
      for category in pascal.unseen where names.contains(category.text) {
        #expect(stickers.unseen.contains(category), "\(category) in stickers-\(number)")
      }
    }
  }

  @Test("PASCAL splits hold out what the paper's do")
  func pascal() throws {
    #expect(
      Set(try split("pascal-1").unseen.map(\.text)) == ["tv", "car", "dog", "couch", "train"])
    #expect(
      Set(try split("pascal-2").unseen.map(\.text))
        == ["horse", "motorcycle", "person", "potted plant", "sheep"])
    #expect(
      Set(try split("pascal-3").unseen.map(\.text))
        == ["bus", "cat", "chair", "cow", "dining table"])
  }

  @Test(
    "what is no partition is refused",
    arguments: [
      (#"{"name":"a","seen":["cat"],"unseen":["cat"],"note":""}"#, "'cat' is there twice"),
      (#"{"name":"a","seen":["cat","cat"],"unseen":["dog"],"note":""}"#, "there twice"),
      (#"{"name":"a","seen":[],"unseen":["dog"],"note":""}"#, "0 seen and 1 unseen"),
      (#"{"name":"a","seen":["Cat"],"unseen":["dog"],"note":""}"#, "its one form"),
      (#"{"name":"a","seen":["a,b"],"unseen":["dog"],"note":""}"#, "','"),
      (#"{"name":"a","seen":"cat"}"#, ""), ("[", ""),
    ])
  func refused(json: String, message: String) {
    let error = #expect(throws: GeneratorError.self) {
      _ = try Split(json: Data(json.utf8), file: "split.json")
    }
    #expect(error?.code == .badConfiguration)
    #expect(message.isEmpty || error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test("an unknown name lists the known ones")
  func unknown() {
    let error = #expect(throws: GeneratorError.self) {
      _ = try split("pascal-4")
    }
    #expect(error?.message.contains("pascal-3") == true)
  }
}
