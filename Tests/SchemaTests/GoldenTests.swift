import Foundation
import Schema
import Testing

/// The golden files against the code; `schema/wire/golden/README.md` says how to write them.
@Suite(.serialized) struct GoldenTests {
  @Test("every golden frame is what the examples encode to, byte for byte")
  func framesMatch() throws {
    let frames = try GoldenFiles.frames()
    for (name, frame) in frames {
      try GoldenFiles.hold(frame.bytes, against: name, in: GoldenFiles.frameFolder)
    }
    #expect(
      try GoldenFiles.names(in: GoldenFiles.frameFolder, suffix: ".bin") == Set(frames.keys))
    #expect(frames.count == 2 * Methods.all.count + 4)
  }

  @Test("golden frames decode to the examples, bodies included")
  func framesDecode() throws {
    for method in Methods.all { try expectDecodes(method) }
    let error = try JSONText.decode(
      ErrorResponse.self, from: try frame("error.response.bin").json)
    #expect(error.id == .number(3))
    #expect(error.error.code == -32060)
    #expect(error.error.data.word == "over_quota")
    #expect(error.error.data.retryAfterMilliseconds == 250)
    let unread = try JSONText.decode(ErrorResponse.self, from: try frame("error.unread.bin").json)
    #expect(unread.id == nil)
    let progress = try JSONText.decode(
      RequestParams<JobProgress>.self, from: try frame("progress.notification.bin").json)
    #expect(progress.params?.request == .number(3))
    #expect(progress.params?.jobs == JobWait.exampleResult.jobs)
    let head = try JSONText.decode(
      ResponseHead.self, from: try frame("progress.notification.bin").json)
    #expect(head.id == nil && head.method == "progress")
    #expect(try frame("descriptors.bin").descriptorCount == 2)
    let body = try frame("triplet.get.response.bin").body
    let (image, masks) = try TripletBody.decode(body)
    #expect(image == GoldenFiles.image)
    #expect(masks == [GoldenFiles.mask])
  }

  @Test("plan, permutation and hash vectors are what the arithmetic gives")
  func plansMatch() throws {
    let folder = GoldenFiles.planFolder
    try GoldenFiles.hold(
      try GoldenPlans.text(GoldenPlans.hashes()), against: "hashes.json", in: folder)
    try GoldenFiles.hold(
      try GoldenPlans.text(GoldenPlans.permutations()), against: "permutations.json", in: folder)
    try GoldenFiles.hold(
      try GoldenPlans.text(GoldenPlans.plans()), against: "plans.json", in: folder)
    #expect(
      try GoldenFiles.names(in: folder, suffix: ".json")
        == ["hashes.json", "permutations.json", "plans.json"])
  }

  private func frame(_ name: String) throws -> WireFrame {
    let url = GoldenFiles.frameFolder.appendingPathComponent(name)
    var decoder = FrameDecoder(maximumBodyBytes: Limits.standard.maximumBatchBytes)
    decoder.append(try Data(contentsOf: url))
    let frame = try #require(try decoder.next())
    #expect(!decoder.isMidFrame, "\(name) holds more than one frame")
    return frame
  }

  private func expectDecodes<M: Schema.Method>(_ method: M.Type) throws {
    let request = try JSONText.decode(
      Request<M.Params>.self, from: try frame("\(M.name).request.bin").json)
    #expect(request.method == M.name && request.jsonrpc == "2.0" && request.id == .number(3))
    #expect(try JSONText.encode(request.params) == JSONText.encode(M.exampleParams))
    let response = try JSONText.decode(
      Response<M.Result>.self, from: try frame("\(M.name).response.bin").json)
    #expect(response.jsonrpc == "2.0" && response.id == .number(3))
    #expect(try JSONText.encode(response.result) == JSONText.encode(M.exampleResult))
  }
}
