import Formats
import Foundation
import Imaging
import Schema
import TestSupport
import Testing

/// Folders of PNG pairs: their indices, their pictures, and what is refused.
@Suite struct FolderTests {
  private func csv(_ text: String) throws -> FolderIndex {
    try FolderIndex(csv: Array(text.utf8), name: "p.csv")
  }

  @Test("rows of one image become one item; quotes, CRLF and a byte order mark are understood")
  func readsCSV() throws {
    let index = try csv(
      "\u{FEFF}image,mask,category,prompt,instance,source,confidence\r\n"
        + "a.png,m1.png,cat,\"a \"\"cat\"\",\nand a dog\",3,exact,0.5\r\n"
        + "b.png,m2.png,dog,,,,\r\n\r\na.png,m3.png,Dog,,,,")
    #expect(index.entries.map(\.file) == ["a.png", "b.png"])
    #expect(index.entries[0].prompt == "a \"cat\",\nand a dog")
    #expect(index.entries[0].masks.map(\.file) == ["m1.png", "m3.png"])
    #expect(index.entries[0].masks[0].instance == 3)
    #expect(index.entries[0].masks[0].source == .exact)
    #expect(index.entries[0].masks[0].confidence == 0.5)
    #expect(index.entries[1].masks[0].confidence == nil)
  }

  @Test("JSON says the same")
  func readsJSON() throws {
    let text = #"""
      [{"image": "a.png", "prompt": "a \u00e9\ud83d\ude00 cat", "other": [1, {}],
        "masks": [{"mask": "m.png", "category": "cat", "visible_fraction": 0.25}]}]
      """#
    let index = try FolderIndex(json: Array(text.utf8), name: "p.json")
    #expect(index.entries.count == 1)
    #expect(index.entries[0].prompt == "a é😀 cat")
    #expect(index.entries[0].masks[0].visibleFraction == 0.25)
  }

  @Test(
    "a broken CSV is refused with its line",
    arguments: [
      ("", "p.csv: an empty file; expected a row of column names"),
      ("image,mask\n", "p.csv, line 1: no column 'category'; expected a heading of image, mask, "),
      ("image,mask,category\na,b\n", "p.csv, line 2: 2 fields; the heading has 3"),
      ("image,mask,category\n\"a", "p.csv, line 2: the file ends inside a quoted field"),
      (
        "image,mask,category\n\"a\"x,b,c", "p.csv, line 2: something follows a quoted field"
      ),
      (
        "image,mask,category,instance\na,b,c,many", "p.csv, line 2: instance is 'many'; expected a "
      ),
      (
        "image,mask,category,source\na,b,c,magic",
        "p.csv, line 2: source is 'magic'; expected one of exact, oracle, grounding, daam, import"
      ),
      ("image,mask,category,image\n", "p.csv, line 1: a column is there twice"),
    ])
  func brokenCSV(text: String, message: String) {
    let error = #expect(throws: FormatError.self) { try csv(text) }
    #expect(error?.code == .badFile)
    #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
  }

  @Test("a long field and a text that is not UTF-8 are refused")
  func limits() {
    let long = "image,mask,category\n" + String(repeating: "x", count: 70_000)
    #expect(
      #expect(throws: FormatError.self) { try csv(long) }?.message
        == "p.csv, line 2: a field of more than 65536 bytes")
    let bytes = Array("image,mask,category\n".utf8) + [0xFF, 0x2C, 0x41, 0x2C, 0x41]
    #expect(
      #expect(throws: FormatError.self) { try FolderIndex(csv: bytes, name: "p.csv") }?.message
        == "p.csv, line 2: a field is not UTF-8")
  }

  private func write(_ folder: TemporaryDirectory, side: Int = 16, maskSide: Int = 16) throws {
    try PNG.write(
      RGBImage(width: side, height: side, pixels: Array(repeating: 9, count: side * side * 3)),
      to: folder.file("a.png"))
    try PNG.write(
      BinaryMask(
        width: maskSide, height: maskSide,
        values: (0..<(maskSide * maskSide)).map { $0 % 2 == 0 ? 1 : 0 }), to: folder.file("m.png"))
    try Data("image,mask,category,prompt\na.png,m.png,Cat,hello\n".utf8).write(
      to: URL(fileURLWithPath: folder.file("prompts.csv")))
  }

  @Test("an item has its pixels, its mask and its prompt")
  func readsItem() throws {
    let folder = try TemporaryDirectory()
    try write(folder)
    let reader = try FolderReader(folder.path)
    let item = try #require(try reader.item(0))
    #expect(item.name == "a.png" && item.prompt == "hello")
    #expect(item.masks.map(\.info.category.text) == ["cat"])
    #expect(item.masks[0].mask.pixelCount == 128)
    #expect(item.masks[0].info.source == .import)
  }

  @Test("an image and a mask of different sizes are refused with both")
  func differentSizes() throws {
    let folder = try TemporaryDirectory()
    try write(folder, maskSide: 12)
    let reader = try FolderReader(folder.path)
    #expect(
      #expect(throws: FormatError.self) { try reader.item(0) }?.message
        == "the mask 'm.png' is 12x12, its image 16x16")
  }

  @Test("a picture too large or too small is refused by its header")
  func sizes() throws {
    let folder = try TemporaryDirectory()
    try write(folder, side: 4)
    let reader = try FolderReader(folder.path)
    #expect(
      #expect(throws: FormatError.self) { try reader.item(0) }?.message
        == "\(folder.path)/a.png: 4x4 pixels; each side must be 8 to 2048: resize it first")
  }

  @Test("a PNG bomb costs its item and no memory")
  func bomb() throws {
    let folder = try TemporaryDirectory()
    try write(folder)
    // A header of 60000x1000 pixels, 180 MB when unpacked, in front of a tiny body.
    var bytes = try PNG.encode(
      RGBImage(width: 16, height: 16, pixels: Array(repeating: 0, count: 768)))
    bytes.replaceSubrange(16..<24, with: [0, 0, 0xEA, 0x60, 0, 0, 0x03, 0xE8])
    bytes.replaceSubrange(29..<33, with: crc(bytes[12..<29]))
    try Data(bytes).write(to: URL(fileURLWithPath: folder.file("a.png")))
    let reader = try FolderReader(folder.path)
    #expect(
      #expect(throws: FormatError.self) { try reader.item(0) }?.message
        == "\(folder.path)/a.png: 60000x1000 pixels; each side must be 8 to 2048: resize it first")
  }

  private func crc(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var sum: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? 0xEDB8_8320 ^ (sum >> 1) : sum >> 1 }
    }
    return (sum ^ 0xFFFF_FFFF).littleEndianBytes.reversed()
  }

  @Test("a file of another kind, a missing one and a folder are told apart")
  func wrongKind() throws {
    let folder = try TemporaryDirectory()
    try write(folder)
    try Data("GIF89a".utf8).write(to: URL(fileURLWithPath: folder.file("a.png")))
    let reader = try FolderReader(folder.path)
    #expect(
      #expect(throws: FormatError.self) { try reader.item(0) }?.message
        == "\(folder.path)/a.png: not a PNG (its first bytes are not the PNG signature)")
    try FileManager.default.removeItem(atPath: folder.file("a.png"))
    #expect(
      #expect(throws: FormatError.self) { try reader.item(0) }?.message
        == "\(folder.path)/a.png: no such file")
    try FileManager.default.createDirectory(
      atPath: folder.file("a.png"), withIntermediateDirectories: false)
    #expect(
      #expect(throws: FormatError.self) { try reader.item(0) }?.message
        == "\(folder.path)/a.png: no plain file")
  }

  @Test("the index must be one, and there")
  func whichIndex() throws {
    let folder = try TemporaryDirectory()
    #expect(
      #expect(throws: FormatError.self) { try FolderReader(folder.path) }?.message
        == "\(folder.path): neither prompts.csv nor prompts.json; name the index with --prompts")
    try write(folder)
    try Data("[]".utf8).write(to: URL(fileURLWithPath: folder.file("prompts.json")))
    #expect(
      #expect(throws: FormatError.self) { try FolderReader(folder.path) }?.message
        == "\(folder.path): both prompts.csv and prompts.json; say which with --prompts")
    #expect(
      #expect(throws: FormatError.self) { try FolderReader(folder.path + "/none") }?.message
        == "\(folder.path)/none: no such folder")
  }

  @Test("a mask is what has a colour and is not transparent")
  func masks() throws {
    let gray = GrayImage(width: 8, height: 8, pixels: (0..<64).map { UInt8($0 % 3) })
    #expect(try DatasetFile.mask(try PNG.encode(gray), name: "m").pixelCount == 42)
    // Blue of 1 would be gray 0.
    let blue = RGBImage(
      width: 8, height: 8, pixels: (0..<192).map { $0 % 3 == 2 && $0 < 96 ? 1 : 0 })
    #expect(try DatasetFile.mask(try PNG.encode(blue), name: "m").pixelCount == 32)
    let clear = RGBAImage(
      width: 8, height: 8, pixels: (0..<256).map { $0 % 4 == 3 ? ($0 < 64 ? 255 : 0) : 200 })
    #expect(try DatasetFile.mask(try PNG.encode(clear), name: "m").pixelCount == 16)
  }
}
