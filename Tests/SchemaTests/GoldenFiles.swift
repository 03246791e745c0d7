import Foundation
import Schema
import Testing

/// The files under `schema/` that Swift and Python both read, and the values they are made from.
///
/// `GROUNDWELL_WRITE_GOLDEN=1 swift test --filter GoldenTests` writes them; without the variable
/// the same tests hold the files against the code.
enum GoldenFiles {
  static let schemaFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("schema")
  static let frameFolder = schemaFolder.appendingPathComponent("wire/golden")
  static let planFolder = schemaFolder.appendingPathComponent("plan/golden")

  static var isWriting: Bool {
    ProcessInfo.processInfo.environment["GROUNDWELL_WRITE_GOLDEN"] == "1"
  }

  /// Compares a file with `expected`, or writes it.
  static func hold(
    _ expected: [UInt8], against name: String, in folder: URL,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let url = folder.appendingPathComponent(name)
    if isWriting { try Data(expected).write(to: url) }
    let found = try Array(Data(contentsOf: url))
    #expect(
      found == expected, "\(name) differs from what the code writes",
      sourceLocation: sourceLocation)
  }

  /// The names of the files in a folder that end in `suffix`.
  static func names(in folder: URL, suffix: String) throws -> Set<String> {
    let all = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return Set(all.filter { $0.hasSuffix(suffix) })
  }

  /// A picture of 8 by 8 pixels whose every value differs from its neighbours.
  static let image = RGBImage(
    width: 8, height: 8, pixels: (0..<192).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) })
  /// The left half.
  static let mask = BinaryMask(
    width: 8, height: 8, values: (0..<64).map { $0 % 8 < 4 ? 1 : 0 })

  /// A batch of two triplets of 8 by 8 pixels.
  static let batchBody: [UInt8] = Safetensors.encode([
    ("image", .u8, [2, 8, 8, 3], image.pixels + image.pixels.reversed()),
    (
      "labels", .u16, [2, 8, 8],
      (mask.values + mask.values.reversed()).flatMap { UInt16($0 * 2).littleEndianBytes }
    ),
    ("target", .u8, [2, 8, 8], mask.values + mask.values.reversed()),
    ("category", .i32, [2], [Int32(0), 1].flatMap(\.littleEndianBytes)),
    ("triplet", .i64, [2], [Int64(17), 1 << 40].flatMap(\.littleEndianBytes)),
    ("probability", .f32, [2], [Float(0.25), 0.125].flatMap { $0.bitPattern.littleEndianBytes }),
  ])

  /// The bodies of the messages that have one, by file name.
  static let bodies: [String: [UInt8]] = [
    "work.submit.request.bin": TripletBody.encode(image: image, masks: [mask]),
    "triplet.get.response.bin": TripletBody.encode(image: image, masks: [mask]),
    "triplet.import.request.bin": TripletBody.encode([(image, [mask])]),
    "batch.get.response.bin": batchBody,
  ]

  /// Every golden frame by its file name: request and response of each method, and what comes
  /// without a method.
  static func frames() throws -> [String: WireFrame] {
    var frames: [String: WireFrame] = [:]
    for method in Methods.all {
      for (name, json) in try pair(method) {
        frames[name] = WireFrame(json: json, body: bodies[name] ?? [])
      }
    }
    frames["error.response.bin"] = WireFrame(
      json: try JSONText.encode(
        ErrorResponse(
          id: .number(3),
          error: ErrorObject(
            .overQuota, "64 requests have no answer yet; at most 64",
            retryAfterMilliseconds: 250))))
    frames["error.unread.bin"] = WireFrame(
      json: try JSONText.encode(
        ErrorResponse(id: nil, error: ErrorObject(.parseError, "not JSON"))))
    frames["progress.notification.bin"] = WireFrame(
      json: try JSONText.encode(
        Request(
          id: nil, method: Methods.progressName,
          params: JobProgress(request: .number(3), jobs: JobWait.exampleResult.jobs))))
    frames["descriptors.bin"] = WireFrame(
      json: try JSONText.encode(Response(id: .text("two"), result: Empty())), descriptorCount: 2)
    return frames
  }

  private static func pair<M: Schema.Method>(
    _ method: M.Type
  ) throws -> [(String, [UInt8])] {
    let request = Request(id: .number(3), method: M.name, params: M.exampleParams)
    let response = Response(id: .number(3), result: M.exampleResult)
    return [
      ("\(M.name).request.bin", try JSONText.encode(request)),
      ("\(M.name).response.bin", try JSONText.encode(response)),
    ]
  }
}
