import Formats
import Foundation
import Imaging
import Schema
import TestSupport
import Testing

/// What is written comes back.
@Suite struct WriterTests {
  private let directory: TemporaryDirectory
  private let triplets: [ExportedTriplet]

  init() throws {
    directory = try TemporaryDirectory()
    triplets = try (0..<5).map { number in
      let names = number % 2 == 0 ? ["cat", "dog", "cat"] : ["potted plant"]
      var triplet = try Triplet.sample(seed: UInt64(number), side: 16 + number, categories: names)
      triplet.prompt = "number \(number), \"quoted\"\nand more"
      let info = TripletInfo(
        triplet: Int64(10 + 7 * number), width: triplet.image.width, height: triplet.image.height,
        prompt: triplet.prompt,
        masks: triplet.masks.map { entry in
          var info = entry.info
          info.pixelCount = entry.mask.pixelCount
          return info
        }, provenance: triplet.provenance, committedMicroseconds: 1_700_000_000_000_000)
      return ExportedTriplet(
        info: info, image: triplet.image, masks: triplet.masks.map(\.mask))
    }
  }

  private func export(_ format: ExportFormat, shardTriplets: Int = 2) throws -> String {
    let folder = try PartialFolder(directory.file("out-\(format.rawValue)"))
    let categories = Set(triplets.flatMap { $0.info.masks.map(\.category) }).sorted()
    var writer = try format.writer(folder, categories: categories, shardTriplets: shardTriplets)
    for triplet in triplets { try writer.add(triplet) }
    #expect(!FileManager.default.fileExists(atPath: folder.path))
    try writer.finish()
    try folder.finish()
    #expect(!FileManager.default.fileExists(atPath: folder.partial))
    return folder.path
  }

  private func expectSame(_ reader: any DatasetReader) throws {
    #expect(reader.itemCount == triplets.count && reader.problems.isEmpty)
    for (position, triplet) in triplets.enumerated() {
      let item = try #require(try reader.item(position))
      #expect(item.image == triplet.image)
      #expect(item.masks.map(\.mask) == triplet.masks)
      #expect(item.prompt == triplet.info.prompt)
      let infos = triplet.info.masks.map { info in
        var info = info
        info.pixelCount = nil
        return info
      }
      #expect(item.masks.map(\.info) == infos)
    }
  }

  @Test("a folder comes back with every pixel, instance, source and prompt")
  func folder() throws {
    try expectSame(try FolderReader(try export(.folder)))
  }

  @Test("COCO comes back with every pixel, instance, source and prompt")
  func coco() throws {
    let path = try export(.coco)
    try expectSame(
      try COCOReader(path + "/annotations.json", images: path + "/images"))
    let object = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: path + "/annotations.json")))
    let file = try #require(object as? [String: Any])
    let annotations = try #require(file["annotations"] as? [[String: Any]])
    let ids = annotations.compactMap { $0["id"] as? Int }
    #expect(ids.count == 11 && Set(ids).count == 11)
    #expect(ids.first == 2560)
    #expect(annotations[0]["bbox"] as? [Int] == [0, 0, 16, 5])
    #expect(annotations[0]["area"] as? Int == 80)
    #expect(!FileManager.default.fileExists(atPath: path + "/.annotations"))
  }

  @Test("VOC masks have the numbers of the categories and VOC's colours")
  func voc() throws {
    let path = try export(.voc)
    let labels = try String(contentsOfFile: path + "/labels.txt", encoding: .utf8)
    // Only VOC's own categories: VOC's own numbers.
    #expect(labels.split(separator: "\n").count == 21)
    let picture = try PNG.readRGB(path + "/SegmentationClass/00000010.png")
    let triplet = triplets[0]
    for pixel in 0..<256 {
      var expected = RGBColor(0, 0, 0)
      for (info, mask) in zip(triplet.info.masks, triplet.masks) where mask.values[pixel] == 1 {
        expected = info.category.text == "cat" ? RGBColor(64, 0, 0) : RGBColor(64, 0, 128)
      }
      let found = RGBColor(
        picture.pixels[3 * pixel], picture.pixels[3 * pixel + 1], picture.pixels[3 * pixel + 2])
      guard found == expected else {
        Issue.record("pixel \(pixel) is \(found), expected \(expected)")
        break
      }
    }
    #expect(
      try String(contentsOfFile: path + "/ImageSets/Segmentation/all.txt", encoding: .utf8)
        .split(separator: "\n").count == 5)
  }

  @Test("YOLO outlines filled by the even-odd rule are the masks", arguments: 0..<12)
  func outlines(seed: Int) throws {
    var random = SeededGenerator(UInt64(seed))
    let side = 12
    let values = (0..<(side * side)).map { index -> UInt8 in
      // Blobs with holes and parts that touch at corners.
      seed == 0 ? 1 : UInt8.random(in: 0...UInt8(seed % 3 + 1), using: &random) > 0 ? 1 : 0
    }
    let mask = BinaryMask(width: side, height: side, values: values)
    let corners = Outline.corners(mask)
    for y in 0..<side {
      for x in 0..<side {
        var isInside = false
        for (index, corner) in corners.enumerated() {
          let next = corners[(index + 1) % corners.count]
          let (low, high) = (min(corner.y, next.y), max(corner.y, next.y))
          guard 2 * y + 1 > 2 * low, 2 * y + 1 < 2 * high else { continue }
          // Where the line crosses the middle of the row.
          let part = (Double(y) + 0.5 - Double(corner.y)) / Double(next.y - corner.y)
          let crossing = Double(corner.x) + part * Double(next.x - corner.x)
          if crossing > Double(x) + 0.5 { isInside.toggle() }
        }
        #expect(isInside == (values[y * side + x] == 1), "\(x), \(y)")
      }
    }
  }

  @Test("YOLO files have one line for each object and the names in order")
  func yolo() throws {
    let path = try export(.yolo)
    let text = try String(contentsOfFile: path + "/labels/00000010.txt", encoding: .utf8)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0] == "0 0 0 1 0 1 0.3125 0 0.3125")
    let yaml = try String(contentsOfFile: path + "/data.yaml", encoding: .utf8)
    #expect(yaml.hasSuffix("names:\n  0: \"cat\"\n  1: \"dog\"\n  2: \"potted plant\"\n"))
  }

  @Test("shards are tar files of whole blocks, at most so many triplets each")
  func webdataset() throws {
    let path = try export(.webdataset)
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    #expect(names == ["000000.tar", "000001.tar", "000002.tar"])
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + "/000000.tar")))
    #expect(bytes.count % 512 == 0)
    #expect(bytes.suffix(1024).allSatisfy { $0 == 0 })
    #expect(String(decoding: bytes[0..<18], as: UTF8.self) == "00000010.image.png")
    #expect(String(decoding: bytes[257..<262], as: UTF8.self) == "ustar")
  }

  @Test("what is there already is not written over; what an export has left is cleared away")
  func occupied() throws {
    let path = directory.file("there")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(
      #expect(throws: FormatError.self) { try PartialFolder(path) }?.message
        == "\(path) is there already; name another folder, or remove it first")
    let left = try PartialFolder(directory.file("left"))
    try left.write([1], to: "old")
    let again = try PartialFolder(directory.file("left"))
    #expect(!FileManager.default.fileExists(atPath: again.partial + "/old"))
    try FileManager.default.createDirectory(
      atPath: directory.file("mine.partial"), withIntermediateDirectories: false)
    #expect(
      #expect(throws: FormatError.self) { try PartialFolder(directory.file("mine")) }?.message
        .contains("is there and no export left it") == true)
  }

  @Test("more categories or objects than VOC can number are refused")
  func tooManyForVOC() throws {
    let folder = try PartialFolder(directory.file("many"))
    let names = try (0..<255).map { try CategoryName("thing \($0)") }
    let error = #expect(throws: FormatError.self) {
      try ExportFormat.voc.writer(folder, categories: names, shardTriplets: 1)
    }
    #expect(error?.message.hasPrefix("255 categories; a VOC mask numbers at most 254") == true)
  }
}
