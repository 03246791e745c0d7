import Formats
import Foundation
import Imaging
import Schema
import TestSupport
import Testing

/// COCO files: what is read, and what is refused with which sentence.
@Suite struct COCOTests {
  private static func index(
    images: String = #"{"id":7,"file_name":"a.png","width":16,"height":16}"#,
    annotations: String = "", categories: String = #"{"id":2,"name":"cat"}"#
  ) -> [UInt8] {
    Array(
      #"{"images":[\#(images)],"annotations":[\#(annotations)],"categories":[\#(categories)]}"#.utf8
    )
  }

  private func reader(_ bytes: [UInt8], folder: String = "/nowhere") throws -> COCOReader {
    COCOReader(bytes, try COCOIndex(bytes, name: "x.json"), images: folder)
  }

  private func refusal(_ bytes: [UInt8]) -> FormatError? {
    #expect(throws: FormatError.self) { try COCOIndex(bytes, name: "x.json") }
  }

  private static func annotation(_ segmentation: String, more: String = "") -> String {
    #"{"id":1,"image_id":7,"category_id":2\#(more),"segmentation":\#(segmentation)}"#
  }

  /// Masks that pycocotools 2.0 made of these polygons, as rows of 16 pixels; written down with
  /// `frPyObjects([polygon], 16, 16)` and `decode`.
  @Test("polygons give the pixels that pycocotools gives them", arguments: COCOGolden.polygons)
  func polygons(polygon: COCOGolden.Polygon) throws {
    let bytes = Self.index(
      annotations: Self.annotation("[\(polygon.parts.map { "\($0)" }.joined(separator: ","))]"))
    let masks = try reader(bytes).masks(0)
    let found = masks.first?.mask.values ?? [UInt8](repeating: 0, count: 256)
    #expect(RunLengths.encode(BinaryMask(width: 16, height: 16, values: found)) == polygon.runs)
  }

  @Test("compressed runs are read and written as pycocotools does", arguments: COCOGolden.polygons)
  func compressedRuns(polygon: COCOGolden.Polygon) throws {
    #expect(String(decoding: RunLengths.text(polygon.runs), as: UTF8.self) == polygon.text)
    #expect(try RunLengths.runs(Array(polygon.text.utf8), maximum: 257) == polygon.runs)
  }

  @Test("random masks survive runs and text", arguments: 0..<20)
  func randomMasks(seed: Int) throws {
    var random = SeededGenerator(UInt64(seed))
    let (width, height) = (Int.random(in: 1...40, using: &random), 1 + seed)
    let values = (0..<(width * height)).map { _ in UInt8.random(in: 0...1, using: &random) }
    let mask = BinaryMask(width: width, height: height, values: values)
    let text = RunLengths.text(RunLengths.encode(mask))
    let runs = try RunLengths.runs(text, maximum: width * height + 1)
    #expect(try RunLengths.decode(runs, width: width, height: height) == mask)
  }

  @Test(
    "a broken segmentation is refused with what is wrong",
    arguments: [
      ("[[1,2,3,4]]", "a polygon of 4 numbers; expected three points or more, two numbers each"),
      ("[[1,2,3,4,5,6,7]]", "a polygon of 7 numbers; expected three points or more"),
      (
        "[[1,2,30,4,5,6]]", "the point (30.0, 4.0) lies outside the image of 16x16 pixels"
      ),
      ("[[1,2,3,-4,5,6]]", "the point (3.0, -4.0) lies outside the image of 16x16 pixels"),
      ("[]", "an empty segmentation; only outlines and runs give masks"),
      ("null", "no segmentation; only outlines and runs give masks"),
      (#"{"size":[16,16],"counts":[10,20]}"#, "the runs cover 30 pixels, the image has 256"),
      (#"{"size":[16,16],"counts":[10,-20,266]}"#, "run 1 is -20, of 246 pixels that are left"),
      (#"{"size":[16,16],"counts":[300]}"#, "run 0 is 300, of 256 pixels that are left"),
      (#"{"size":[8,32],"counts":[256]}"#, "runs for a mask of [8, 32], the image is [16, 16]"),
      (#"{"size":[16,16],"counts":"o"}"#, "the runs end in the middle of a number"),
      (#"{"size":[16,16],"counts":"!"}"#, "character 0 of the runs is none of theirs"),
      (#"{"size":[16,16]}"#, "runs without 'counts'"),
    ])
  func brokenSegmentation(text: String, message: String) throws {
    let reader = try reader(Self.index(annotations: Self.annotation(text)))
    let error = #expect(throws: FormatError.self) { try reader.masks(0) }
    #expect(error?.code == .badItem)
    #expect(error?.message.hasPrefix("annotation 1: \(message)") == true, "\(error?.message ?? "")")
  }

  @Test("ids need not follow each other, crowds are kept or dropped, empty masks are left out")
  func oddFiles() throws {
    let bytes = Self.index(
      images: #"{"id":900,"file_name":"b.png","width":16,"height":16},"#
        + #"{"id":7,"file_name":"a.png","width":16,"height":16}"#,
      annotations: Self.annotation("[[0,0,8,0,8,8]]", more: #","iscrowd":0"#) + ","
        + #"{"id":50,"image_id":7,"category_id":2,"iscrowd":1,"segmentation":{"size":[16,16],"#
        + #""counts":[5,10,241]}},{"id":51,"image_id":7,"category_id":2,"segmentation":"#
        + "[[3,3,3,3,3,3]]}")
    let kept = try reader(bytes)
    #expect(kept.itemName(0) == "a.png" && kept.itemName(1) == "b.png")
    #expect(try kept.masks(0).map(\.info.instance) == [0, 1])
    #expect(try kept.masks(0).map(\.info.source) == [.import, .import])
    #expect(try kept.masks(1).isEmpty)
    let dropped = COCOReader(
      bytes, try COCOIndex(bytes, name: "x"), images: "/nowhere", crowd: .drop)
    #expect(try dropped.masks(0).count == 1)
  }

  @Test("doubles and strangers are told by their ids")
  func problems() throws {
    let bytes = Self.index(
      images: #"{"id":7,"file_name":"a.png","width":16,"height":16},"#
        + #"{"id":7,"file_name":"b.png","width":16,"height":16},"#
        + #"{"id":8,"file_name":"a.png","width":16,"height":16}"#,
      annotations: Self.annotation("[[0,0,8,0,8,8]]") + ","
        + Self.annotation("[[0,0,8,0,8,8]]") + ","
        + #"{"id":3,"image_id":99,"category_id":2,"segmentation":[]}"#)
    let reader = try reader(bytes)
    #expect(reader.itemCount == 1)
    #expect(
      reader.problems == [
        "image 7 is there twice; the second ('b.png') is left out",
        "two images have the file 'a.png'; image 8 is left out",
        "annotation 1 is there twice; the second (of image 7) is left out",
        "annotation 3 is of image 99, which the file does not have",
      ])
    #expect(try reader.masks(0).count == 1)
  }

  @Test(
    "a file that is no COCO file is refused",
    arguments: [
      ("", "x.json: no COCO file; expected JSON with 'images', 'annotations', 'categories'"),
      ("[1]", "x.json: no COCO file; expected JSON with 'images', 'annotations', 'categories'"),
      (
        "\u{89}PNG",
        "x.json: no COCO file; expected JSON with 'images', 'annotations', 'categories'"
      ),
      (#"{"images":[]}"#, "x.json: no COCO file of instances; it has no 'annotations'"),
      (
        #"{"images":[{"id":1"#,
        "x.json: the JSON ends where ',' or '}' is expected; is the file cut off?"
      ),
      (#"{"images":[{"id":1.5}]}"#, "x.json: expected a whole number, found 1.5 at byte 20"),
      (#"{"images":[{"id":1}]}"#, "x.json: an image without 'file_name' ends at byte 19"),
      (
        #"{"images":[],"annotations":[],"categories":[{"id":1,"name":"a"},{"id":1,"name":"b"}]}"#,
        "x.json: two categories have the id 1; which one is meant is unknown"
      ),
    ])
  func notCOCO(text: String, message: String) {
    let error = refusal(Array(text.utf8))
    #expect(error?.code == .badFile)
    #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
  }

  @Test("JSON that nests too deeply ends in a sentence, not in the stack")
  func deep() {
    let text = #"{"info":"# + String(repeating: "[", count: 100_000)
    #expect(refusal(Array(text.utf8))?.message.contains("nests deeper than 64 levels") == true)
  }

  @Test("an unknown category, a bad name and too large an image are told with their annotation")
  func brokenItems() throws {
    let unknown = try reader(
      Self.index(annotations: Self.annotation("[]").replacing(":2", with: ":5")))
    #expect(
      #expect(throws: FormatError.self) { try unknown.masks(0) }?.message
        == "annotation 1: category 5, which the file does not have")
    let slash = try reader(
      Self.index(
        annotations: Self.annotation("[]"), categories: #"{"id":2,"name":"a/b"}"#))
    #expect(
      #expect(throws: FormatError.self) { try slash.masks(0) }?.message
        .hasPrefix("annotation 1: category name 'a/b' holds '/'") == true)
    let large = try reader(
      Self.index(
        images: #"{"id":7,"file_name":"a.png","width":100000,"height":100000}"#,
        annotations: Self.annotation("[[0,0,8,0,8,8]]")))
    #expect(
      #expect(throws: FormatError.self) { try large.masks(0) }?.message
        == "image 7 is said to be 100000x100000 pixels; each side must be 8 to 2048")
  }

  @Test("a missing image, one of another size and a name that leads out are told")
  func brokenImages() throws {
    let folder = try TemporaryDirectory()
    let bytes = Self.index(annotations: Self.annotation("[[0,0,8,0,8,8]]"))
    let missing = try reader(bytes, folder: folder.path)
    #expect(
      #expect(throws: FormatError.self) { try missing.item(0) }?.message
        == "\(folder.path)/a.png: no such file")
    try PNG.write(
      RGBImage(width: 9, height: 16, pixels: Array(repeating: 3, count: 432)),
      to: folder.file("a.png"))
    #expect(
      #expect(throws: FormatError.self) { try missing.item(0) }?.message
        == "the picture is 9x16, the file of annotations says 16x16")
    let outside = try reader(
      Self.index(
        images: #"{"id":7,"file_name":"../a.png","width":16,"height":16}"#,
        annotations: Self.annotation("[[0,0,8,0,8,8]]")), folder: folder.path)
    #expect(
      #expect(throws: FormatError.self) { try outside.item(0) }?.message
        == "the file name '../a.png' is no path inside the folder of the images")
  }

  @Test("the first caption of an image becomes its prompt")
  func captions() throws {
    let text = #"""
      {"annotations":[{"id":9,"image_id":7,"caption":"late"},
      {"id":3,"image_id":7,"caption":" A  cat\nsits. "}]}
      """#
    #expect(try COCOCaptions.read(Array(text.utf8), name: "c") == [7: "A cat sits."])
  }
}
