import Formats
import Foundation
import Imaging
import Schema
import Store

/// Something that reads bytes from outside, and inputs to begin with.
///
/// ``run(_:)`` may take or refuse any input; it must not trap, hang or take much memory.
package enum Probe: String, CaseIterable, Sendable {
  /// The frame decoder, bytes in one piece and in two.
  case frame
  /// The JSON layer: requests and answers of every method.
  case json
  /// The bodies of requests.
  case body
  /// The importer of COCO files: index, polygons and runs.
  case coco
  /// The importer of folders: the index as CSV.
  case csv
  /// The importer of folders: the index as JSON.
  case folder
  /// Pictures and masks of every importer.
  case png
  /// The pack reader: records and every codec.
  case pack

  /// Reads an input.
  package func run(_ input: [UInt8]) {
    // What is thrown is the refusal that a bad input deserves.
    do { try read(input) } catch { return }
  }

  private func read(_ input: [UInt8]) throws {
    switch self {
    case .frame: try Self.readFrames(input)
    case .json: try Self.readMessage(input)
    case .body:
      _ = try TripletBody.decode(input, count: 2)
      _ = try TripletBody.decode(input)
    case .coco:
      let index = try COCOIndex(input, name: "probe")
      let reader = COCOReader(input, index, images: "/nowhere")
      for position in 0..<min(4, reader.itemCount) {
        do { _ = try reader.masks(position) } catch { continue }
      }
      _ = try COCOCaptions.read(input, name: "probe")
    case .csv: try Self.readFolder(try FolderIndex(csv: input, name: "probe"))
    case .folder: try Self.readFolder(try FolderIndex(json: input, name: "probe"))
    case .png:
      _ = try DatasetFile.mask(input, name: "probe")
      _ = try DatasetFile.image(input, name: "probe")
    case .pack:
      guard input.count > 2 else { return }
      try RecordProbe.read(
        Array(input[2...]), width: 1 + Int(input[0]) % 96, height: 1 + Int(input[1]) % 96)
    }
  }

  private static func readFrames(_ input: [UInt8]) throws {
    var decoder = FrameDecoder(maximumBodyBytes: 1 << 20)
    decoder.append(input.prefix(input.count / 2))
    while try decoder.next() != nil {}
    decoder.append(input.dropFirst(input.count / 2))
    while let frame = try decoder.next() { _ = frame.bytes }
  }

  private static func readMessage(_ input: [UInt8]) throws {
    let head = try JSONText.decode(RequestHead.self, from: input)
    for method in Methods.all where method.name == head.method { try readParams(method, input) }
    let answer = try JSONText.decode(ResponseHead.self, from: input)
    if answer.error == nil, let method = Methods.all.first(where: { $0.name == head.method }) {
      try readResult(method, input)
    }
  }

  private static func readParams<M: Schema.Method>(_ method: M.Type, _ input: [UInt8]) throws {
    if let params = try JSONText.decode(RequestParams<M.Params>.self, from: input).params {
      _ = try JSONText.encode(params)
    }
  }

  private static func readResult<M: Schema.Method>(_ method: M.Type, _ input: [UInt8]) throws {
    _ = try JSONText.decode(Response<M.Result>.self, from: input)
  }

  private static func readFolder(_ index: FolderIndex) throws {
    let reader = FolderReader(index, folder: "/nowhere")
    for position in 0..<min(2, reader.itemCount) {
      do { _ = try reader.item(position) } catch { continue }
    }
  }
}
