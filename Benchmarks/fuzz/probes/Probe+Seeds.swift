import Formats
import Foundation
import Imaging
import Schema
import Store

extension Probe {
  /// Whole inputs of every kind that the probe reads, to be damaged.
  package func seeds() throws -> [[UInt8]] {
    switch self {
    case .frame:
      return [
        WireFrame(json: Array("{}".utf8)).bytes,
        WireFrame(json: Array("{\"a\":1}".utf8), body: [1, 2, 3]).bytes
          + WireFrame(json: Array("{}".utf8), descriptorCount: 2).bytes,
      ]
    case .json: return try Methods.all.flatMap { try Self.messages($0) }
    case .body:
      let (image, mask) = Self.pixels(side: 8)
      return [
        TripletBody.encode(image: image, masks: [mask, mask]),
        TripletBody.encode([(image, [mask]), (image, [mask, mask])]),
      ]
    case .coco: return Self.cocoSeeds
    case .csv: return Self.csvSeeds
    case .folder: return Self.folderSeeds
    case .png: return try Self.pictures()
    case .pack: return try Self.records()
    }
  }

  /// Words that make a damaged input go deeper.
  package var words: [[UInt8]] {
    switch self {
    case .frame: return [Array("GWF1".utf8), [1, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0]]
    case .json, .body, .coco, .folder:
      let words = [
        "null", "true", "{}", "[]", "{", "}", "[", "]", ",", ":", "\"", "\\u0000", "\\ud83d", "-1",
        "0", "1e308", "1e400", "-1e-400", "9223372036854775807", "9223372036854775808",
        "9007199254740993", "0.1", "\"segmentation\":", "\"counts\":", "\"size\":[16,16]",
        "\"dtype\":\"U8\"", "\"data_offsets\":[0,0]", "\"shape\":[4294967296,4294967296,4]",
      ]
      return words.map { Array($0.utf8) }
    case .csv:
      return [",", "\"", "\"\"", "\r\n", "\n", "image", "nan", "inf", "-1", "1e300", "../x"].map {
        Array($0.utf8)
      }
    case .png:
      return ["IHDR", "IDAT", "IEND", "PLTE", "tRNS", "iCCP", "gAMA", "zTXt"].map { Array($0.utf8) }
        + [[0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF]]
    case .pack: return [[0xFF, 0xFF, 0xFF, 0xFF], [0, 0, 0, 0], [0x80, 0x80, 0x80, 0x80, 0x01]]
    }
  }

  /// Makes a damaged input pass the checks that would turn it away at the door.
  package func mend(_ input: inout [UInt8]) {
    switch self {
    case .png: PNGChecksums.mend(&input)
    case .pack:
      guard input.count > 2 else { return }
      var record = Array(input[2...])
      RecordProbe.seal(&record)
      input.replaceSubrange(2..., with: record)
    case .frame, .json, .body, .coco, .csv, .folder: break
    }
  }

  private static func messages<M: Schema.Method>(_ method: M.Type) throws -> [[UInt8]] {
    let request = Request(id: .number(3), method: M.name, params: M.exampleParams)
    let text = String(decoding: try JSONText.encode(request), as: UTF8.self)
    let result = String(decoding: try JSONText.encode(M.exampleResult), as: UTF8.self)
    // One message that is both, so that an input reaches the reader of answers as well.
    return [Array(text.utf8), Array((text.dropLast() + ",\"result\":\(result)}").utf8)]
  }

  static func pixels(side: Int) -> (image: RGBImage, mask: BinaryMask) {
    let image = RGBImage(
      width: side, height: side,
      pixels: (0..<(side * side * 3)).map { UInt8(truncatingIfNeeded: $0 * $0 / 7 + $0) })
    let mask = BinaryMask(
      width: side, height: side, values: (0..<(side * side)).map { $0 % side < side / 2 ? 1 : 0 })
    return (image, mask)
  }

  private static let cocoSeeds: [[UInt8]] = [
    """
    {"images":[{"id":7,"file_name":"a.png","width":16,"height":16,"prompt":"a cat"}],
    "annotations":[{"id":1,"image_id":7,"category_id":2,"iscrowd":0,"area":9.5,
    "segmentation":[[1.5,2.25,9,2,9.75,11,3,12.5],[0,0,4,0,4,4]],"bbox":[1,2,3,4]},
    {"id":2,"image_id":7,"category_id":2,"iscrowd":1,
    "segmentation":{"size":[16,16],"counts":[20,10,200,26]}}],
    "categories":[{"id":2,"name":"cat","supercategory":"animal"}]}
    """,
    """
    {"info":{"a":[1,{"b":null}]},"images":[{"id":1,"file_name":"b.png","width":16,"height":8},
    {"id":9,"file_name":"c.png","width":9,"height":20}],"categories":[{"id":1,"name":"dog"}],
    "annotations":[{"id":5,"image_id":1,"category_id":1,"source":"exact","instance":3,
    "confidence":0.5,"segmentation":{"counts":"04N43Oa0O3\\\\1","size":[8,16]}},
    {"id":6,"image_id":9,"category_id":1,"segmentation":[[0,0,8.99,0,8.99,19.5,0,19]]}]}
    """,
  ].map { Array($0.utf8) }

  private static let csvSeeds: [[UInt8]] = [
    """
    image,mask,category,prompt,instance,source,confidence,visible_fraction
    a.png,m/a.png,cat,"a ""cat"", here",0,exact,0.5,1
    a.png,m/b.png,potted plant,,1,,,
    """, "mask,image,category\r\nm.png,i.png,dog\r\n",
  ].map { Array($0.utf8) }

  private static let folderSeeds: [[UInt8]] = [
    """
    [{"image":"a.png","prompt":"a cat","masks":[{"mask":"m.png","category":"cat","instance":1,
    "source":"exact","confidence":0.25,"visible_fraction":null}]},{"image":"b.png","masks":[]}]
    """
  ].map { Array($0.utf8) }

  private static func pictures() throws -> [[UInt8]] {
    let (image, mask) = pixels(side: 12)
    let palette = (0..<256).map { RGBColor(UInt8($0), 0, 9) }
    return [
      try PNG.encode(image), try PNG.encode(mask),
      try PNG.encode(
        RGBAImage(
          width: 8, height: 8, pixels: (0..<256).map { UInt8(truncatingIfNeeded: $0) })),
      try PNG.encode(
        indices: (0..<64).map { UInt8($0 * 3) }, width: 8, height: 8, palette: palette),
    ]
  }

  private static func records() throws -> [[UInt8]] {
    let category = try CategoryName("cat")
    return try [9, 33, 64].flatMap { side in
      let (image, mask) = pixels(side: side)
      let speckled = BinaryMask(
        width: side, height: side, values: (0..<(side * side)).map { $0 * $0 % 3 == 1 ? 1 : 0 })
      let triplet = Triplet(
        image: image,
        masks: [mask, speckled].enumerated().map { index, mask in
          (MaskInfo(category: category, instance: index, source: .exact), mask)
        }, prompt: "",
        provenance: Provenance(engine: "fuzz", seed: 0, worker: "fuzz", createdMicroseconds: 0))
      return try RecordProbe.record(triplet).map { [UInt8(side - 1), UInt8(side - 1)] + $0 }
    }
  }
}
