import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// Triplets that clients bring: the same item is the same triplet, and nothing broken gets in.
@Suite struct ImportTests {
  private let daemon: DaemonProcess
  private let client: DaemonClient

  init() throws {
    daemon = try DaemonProcess()
    client = try daemon.client()
  }

  private func body(_ triplets: [Triplet]) -> [UInt8] {
    TripletBody.encode(triplets.map { ($0.image, $0.masks.map(\.mask)) })
  }

  private func params(_ names: [String], _ triplets: [Triplet]) -> TripletImport.Params {
    TripletImport.Params(
      source: "shelf",
      items: zip(names, triplets).map { name, triplet in
        TripletImport.Item(
          item: name, prompt: "prompt of \(name)", masks: triplet.masks.map(\.info))
      })
  }

  private func bring(_ names: [String], seed: UInt64 = 1) throws -> [TripletImport.Outcome] {
    let triplets = try names.indices.map { try Triplet.sample(seed: seed + UInt64($0)) }
    return try client.call(TripletImport.self, params(names, triplets), body: body(triplets))
      .result.outcomes
  }

  @Test("several items in one call get ids in their order, and the same ids for ever")
  func idempotent() throws {
    let first = try bring(["b", "a", "c"])
    #expect(first.map(\.triplet) == [1, 2, 3])
    #expect(first.allSatisfy { !$0.duplicate })
    let again = try bring(["c", "d", "b"], seed: 50)
    #expect(again.map(\.triplet) == [3, 4, 1] || again.map(\.triplet) == [3, 5, 1])
    #expect(again.map(\.duplicate) == [true, false, true])
    let counts = try client.call(Counts.self, .init()).result
    #expect(counts.triplets == 4)
    #expect(counts.categories.map(\.stock) == [4])
    daemon.killNow()
    try daemon.start()
    let known = try daemon.client().call(
      ImportList.self, .init(source: "shelf", items: ["x", "c", "a"])
    ).result.known
    #expect(known.map(\.item) == ["c", "a"])
    #expect(known.map(\.triplet) == [3, 2])
    let other = try daemon.client().call(
      ImportList.self, .init(source: "cupboard", items: ["c"])
    ).result.known
    #expect(other.isEmpty)
  }

  @Test("an imported triplet is read back whole; its engine says where it is from")
  func readBack() throws {
    let triplet = try Triplet.sample(seed: 9, categories: ["cat", "dog"])
    _ = try client.call(TripletImport.self, params(["a"], [triplet]), body: body([triplet]))
    let (info, pixels) = try client.call(TripletGet.self, .init(triplet: 1))
    #expect(try TripletBody.decode(pixels).image == triplet.image)
    #expect(try TripletBody.decode(pixels).masks == triplet.masks.map(\.mask))
    #expect(info.prompt == "prompt of a")
    #expect(info.provenance.engine == "import" && info.provenance.worker == "shelf")
    #expect(info.masks.map(\.category.text) == ["cat", "dog"])
  }

  @Test("many clients that bring the same items at once end with each item once")
  func concurrent() async throws {
    let names = (0..<24).map { "item \($0)" }
    let ids = try await withThrowingTaskGroup(of: [TripletID].self) { group in
      for _ in 0..<4 {
        let triplets = try names.indices.map { try Triplet.sample(seed: UInt64($0 + 1)) }
        let (params, body) = (params(names, triplets), body(triplets))
        let socket = daemon.socket
        group.addTask {
          let client = try DaemonClient.connect(socketPath: socket, clientName: "test")
          return try client.call(TripletImport.self, params, body: body).result.outcomes
            .map(\.triplet)
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(Set(ids).count == 1)
    #expect(Set(ids[0]).count == 24)
    #expect(try client.call(Counts.self, .init()).result.triplets == 24)
    #expect(try client.call(Check.self, .init(deep: true)).result.problems == [])
  }

  private func expectRefused(
    _ params: TripletImport.Params, _ body: [UInt8], _ word: ErrorWord, _ message: String,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let error = client.refusal(TripletImport.self, params, body: body)
    #expect(error?.word == word, sourceLocation: location)
    #expect(error?.message == message, sourceLocation: location)
    let counts = try daemon.client().call(Counts.self, .init()).result
    #expect(counts.triplets == 0, sourceLocation: location)
    #expect(counts.snapshot == 0, sourceLocation: location)
  }

  @Test("one broken item of several keeps all of them out, and is named")
  func broken() throws {
    let good = try Triplet.sample()
    var empty = try Triplet.sample()
    empty.masks[0].mask = BinaryMask(width: 16, height: 16, values: Array(repeating: 0, count: 256))
    try expectRefused(
      params(["a", "b"], [good, empty]), body([good, empty]), .invalidParams,
      "item 'b': mask 0 ('cat') covers no pixel; leave it out")
    try expectRefused(
      params(["a"], [good]), body([good, good]), .badBody,
      "body: 4 tensors for 1 items; expected two for each")
    try expectRefused(
      params(["a", "b"], [good, good]), body([good]), .badBody,
      "body: expected a tensor 'image1' U8 with 3 axes, found none")
    try expectRefused(
      params(["a", "a"], [good, good]), body([good, good]), .invalidParams,
      "item 'a' is there twice")
    try expectRefused(
      params([""], [good]), body([good]), .invalidParams,
      "the name of an item has 0 bytes; expected 1 to 1024")
    try expectRefused(
      params([String(repeating: "n", count: 1025)], [good]), body([good]), .invalidParams,
      "the name of an item has 1025 bytes; expected 1 to 1024")
    try expectRefused(
      params(["a\u{0}b"], [good]), body([good]), .invalidParams,
      "the name of an item holds a zero byte, which no text may")
    try expectRefused(
      .init(source: "shelf", items: []), [], .invalidParams,
      "the number of items is 0; expected 1 to 64")
    let many = Array(repeating: good, count: 65)
    try expectRefused(
      params(many.indices.map { "\($0)" }, many), body(many), .invalidParams,
      "the number of items is 65; expected 1 to 64")
    var params = params(["a"], [good])
    params.source = ""
    try expectRefused(params, body([good]), .invalidParams, "source has 0 bytes; expected 1 to 256")
    params.source = "shelf"
    params.items[0].masks += params.items[0].masks
    try expectRefused(
      params, body([good]), .badBody,
      "item 'a': the body has 1 masks, the request describes 2")
    #expect(try bring(["a"]).map(\.duplicate) == [false])
  }

  @Test("an item whose triplet was set aside is stored anew")
  func setAside() throws {
    _ = try bring(["a"])
    _ = daemon.stop()
    let pack = daemon.store + "/packs/000001.pack"
    var bytes = try Data(contentsOf: URL(fileURLWithPath: pack))
    bytes[120] ^= 1
    try bytes.write(to: URL(fileURLWithPath: pack))
    try daemon.start()
    let client = try daemon.client()
    #expect(client.refusal(TripletGet.self, .init(triplet: 1))?.word == .tripletCorrupt)
    let triplet = try Triplet.sample()
    let outcome = try client.call(
      TripletImport.self, params(["a"], [triplet]), body: body([triplet])
    ).result.outcomes
    #expect(outcome.map(\.duplicate) == [false])
    #expect(outcome[0].triplet > 1)
    #expect(try client.call(TripletGet.self, .init(triplet: outcome[0].triplet)).result.width == 16)
  }
}
