import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// Batches: what is in them, and that they are the same bytes for ever.
@Suite struct StreamTests {
  private let daemon: DaemonProcess
  private let client: DaemonClient

  init() throws {
    daemon = try DaemonProcess()
    client = try daemon.client()
  }

  private func fill(_ counts: [String: Int], others: [String] = []) throws {
    for (category, count) in counts.sorted(by: { $0.key < $1.key }) {
      try client.order(category, count)
      _ = try client.work(others: others)
    }
  }

  private func names(_ texts: [String]) throws -> [CategoryName] {
    try texts.map { try CategoryName($0) }
  }

  @Test("every tensor of a batch agrees with the triplets it was made from")
  func contents() throws {
    try fill(["cat": 3, "dog": 2], others: ["bird"])
    let open = try client.call(
      StreamOpen.self, .init(categories: names(["dog", "cat"]), batchSize: 6, seed: 5)
    ).result
    #expect(open.categories.map(\.stock) == [2, 3])
    #expect(open.imageSize == 16)
    let (result, body) = try client.call(BatchGet.self, .init(stream: open.stream, k: 2))
    let tensors = try Safetensors.decode(body)
    let pixels = 16 * 16
    func numbers(_ name: String, _ size: Int) throws -> [Int] {
      let range = try #require(tensors[name]).range
      #expect(range.lowerBound % 64 == 0)
      return stride(from: range.lowerBound, to: range.upperBound, by: size).map { start in
        body[start..<(start + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
      }
    }
    let (categories, triplets) = (try numbers("category", 4), try numbers("triplet", 8))
    let (images, labels) = (try numbers("image", 1), try numbers("labels", 2))
    let targets = try numbers("target", 1)
    let probabilities = try numbers("probability", 4)
    #expect(categories.sorted() == [0, 0, 0, 1, 1, 1])
    for (slot, id) in triplets.enumerated() {
      let (info, stored) = try client.call(TripletGet.self, .init(triplet: Int64(id)))
      let (image, masks) = try TripletBody.decode(stored)
      #expect(
        Array(images[(slot * pixels * 3)..<((slot + 1) * pixels * 3)]) == image.pixels.map(Int.init)
      )
      #expect(result.prompts[slot] == info.prompt)
      let target = info.masks[0].category.text == "dog" ? 0 : 1
      #expect(categories[slot] == target)
      let expected = (0..<pixels).map { pixel in
        masks[0].values[pixel] == 1 ? target + 1 : masks[1].values[pixel] == 1 ? 65535 : 0
      }
      #expect(Array(labels[(slot * pixels)..<((slot + 1) * pixels)]) == expected)
      #expect(
        Array(targets[(slot * pixels)..<((slot + 1) * pixels)]) == masks[0].values.map(Int.init))
      let chance: Float = target == 0 ? 0.25 : 1 / 6
      #expect(Float(bitPattern: UInt32(probabilities[slot])) == chance)
    }
  }

  @Test("the same number gives the same bytes: again, from another client, after a restart")
  func reproducible() throws {
    try fill(["cat": 5, "dog": 9, "bus": 2])
    let params = StreamOpen.Params(
      categories: try names(["cat", "dog", "bus"]), batchSize: 4, seed: 11)
    let open = try client.call(StreamOpen.self, params).result
    let numbers = [0, 1, 17, 1_000_000, 17]
    let first = try numbers.map {
      try client.call(BatchGet.self, .init(stream: open.stream, k: $0)).body
    }
    #expect(first[2] == first[4])
    #expect(first[0] != first[1])
    // The store grows; the snapshot does not.
    try fill(["cat": 20])
    #expect(daemon.stop() == 0)
    try daemon.start()
    let second = try daemon.client()
    var again = params
    again.snapshot = open.token.snapshot
    again.store = open.token.store
    let reopened = try second.call(StreamOpen.self, again).result
    #expect(reopened.plan == open.plan)
    let after = try numbers.map {
      try second.call(BatchGet.self, .init(stream: reopened.stream, k: $0)).body
    }
    #expect(after == first)
  }

  @Test("a split names its categories, seen ones first, and its unseen ones for a mixture")
  func opensSplit() throws {
    var params = StreamOpen.Params(split: "pascal-1", batchSize: 4, onThin: .fail)
    let thin = client.refusal(StreamOpen.self, params)
    #expect(thin?.word == .categoryUnknown || thin?.word == .categoryThin)
    let data = try #require(try SplitData.builtIn().first { $0.name == "pascal-1" })
    let names = (seen: data.seen.map(\.text), unseen: data.unseen.map(\.text))
    try fill(Dictionary(uniqueKeysWithValues: (names.seen + names.unseen).map { ($0, 1) }))
    let open = try client.call(StreamOpen.self, params).result
    #expect(open.categories.map(\.category.text) == names.seen + names.unseen)
    params.policy = SelectionPolicy.mixture.rawValue
    params.unseenShare = 1
    let mixture = try client.call(StreamOpen.self, params).result
    let body = try client.call(BatchGet.self, .init(stream: mixture.stream, k: 0)).body
    #expect(try integers(body, "category", 4).allSatisfy { $0 >= names.seen.count })
    (params.policy, params.unseenShare) = (nil, nil)
    params.all = true
    #expect(
      client.refusal(StreamOpen.self, params)?.message
        == "give one of 'categories', 'split' and 'all'")
  }

  @Test("ranks share a batch: together they are the whole, for any number of them")
  func ranks() throws {
    try fill(["cat": 5, "dog": 3])
    func triplets(_ rank: Int, _ world: Int) throws -> [UInt8] {
      let open = try client.call(
        StreamOpen.self,
        .init(all: true, batchSize: 7, seed: 3, rank: rank, world: world)
      ).result
      let body = try client.call(BatchGet.self, .init(stream: open.stream, k: 4)).body
      _ = try client.call(StreamClose.self, .init(stream: open.stream))
      return Array(body[try #require(try Safetensors.decode(body)["triplet"]).range])
    }
    let whole = try triplets(0, 1)
    for world in 2...7 {
      #expect(try (0..<world).flatMap { try triplets($0, world) } == whole)
    }
  }

  @Test("a stream that waits starts the backfill of thin categories and sees its triplets")
  func waitsForThin() async throws {
    try fill(["cat": 6])
    let worker = try daemon.client()
    let id = try client.send(
      StreamOpen.self,
      .init(
        categories: names(["cat", "dog"]), batchSize: 4, imageSize: 16, minimum: 4,
        waitSeconds: 30))
    let lease = WorkLease.Params(worker: "w", engines: ["scenes"], count: 8, waitSeconds: 10)
    for item in try worker.call(WorkLease.self, lease).result.items {
      #expect(item.category.text == "dog")
      _ = try worker.submit(item.lease, .sample(seed: UInt64(item.seed), categories: ["dog"]))
    }
    var reports: [JobProgress] = []
    let open = try client.receive(StreamOpen.self, id: id) { reports.append($0) }.result
    #expect(open.filled == ["dog": 4])
    #expect(open.categories.map(\.stock) == [6, 4])
    #expect(open.categories.allSatisfy { !$0.thin })
    #expect(reports.first?.jobs.first?.items == 4)
  }

  @Test("a wait that takes too long ends with a deadline, and its backfill goes on")
  func waitHasDeadline() throws {
    let error = client.refusal(
      StreamOpen.self,
      .init(categories: try names(["dog"]), batchSize: 4, minimum: 4, waitSeconds: 0.3))
    #expect(error?.word == .deadlineReached)
    #expect(
      error?.message
        == "'dog' has 0 of 4 triplets after 0.3 s; its backfill goes on: open again later")
    #expect(try client.call(Status.self, .init()).result.activeJobs == 1)
  }

  @Test("a wait whose backfill fails says why")
  func waitSeesFailure() throws {
    let id = try client.send(
      StreamOpen.self,
      .init(categories: names(["dog"]), batchSize: 1, imageSize: 16, waitSeconds: 30))
    let worker = try daemon.client()
    for _ in 0..<3 {
      let items = try worker.call(
        WorkLease.self, .init(worker: "w", engines: ["scenes"], count: 1, waitSeconds: 10)
      ).result.items
      let lease = try #require(items.first).lease
      _ = try worker.call(WorkFail.self, .init(lease: lease, error: "no sprite of 'dog'"))
    }
    let error = #expect(throws: WireError.self) { _ = try client.receive(StreamOpen.self, id: id) }
    #expect(error?.word == .categoryThin)
    #expect(
      error?.message
        == "'dog' has 0 of 1 triplets and its backfill is failed: item 0: no sprite of 'dog'")
  }

  @Test("on_thin 'repeat' draws the few again and again and says so in each batch")
  func repeatsThin() throws {
    try fill(["cat": 6, "dog": 1])
    let open = try client.call(
      StreamOpen.self, .init(all: true, batchSize: 8, minimum: 5, onThin: .repeat)
    ).result
    #expect(open.categories.map(\.thin) == [false, true])
    let batch = try client.call(BatchGet.self, .init(stream: open.stream, k: 0)).result
    #expect(batch.thin.map(\.text) == ["dog"])
    #expect(batch.epochs.max() == 3)
    #expect(try client.call(BatchDone.self, .init(stream: open.stream, k: 0)).result == Empty())
  }

  @Test("images of another size than the stream's are resized, with their masks")
  func resizes() throws {
    try fill(["cat": 2])
    let open = try client.call(StreamOpen.self, .init(all: true, batchSize: 2, imageSize: 8)).result
    let body = try client.call(BatchGet.self, .init(stream: open.stream, k: 0)).body
    #expect(try Safetensors.decode(body)["image"]?.shape == [2, 8, 8, 3])
    #expect(try Safetensors.decode(body)["labels"]?.shape == [2, 8, 8])
  }

  @Test("a damaged triplet is reported by its number and not served, others are")
  func damagedTriplet() throws {
    try fill(["cat": 1, "dog": 1])
    let open = try client.call(StreamOpen.self, .init(all: true, batchSize: 1)).result
    #expect(daemon.stop() == 0)
    let pack = URL(fileURLWithPath: daemon.store + "/packs/000001.pack")
    var bytes = try Data(contentsOf: pack)
    bytes[64 + 40] ^= 1
    try bytes.write(to: pack)
    try daemon.start()
    let second = try daemon.client()
    let again = try second.call(
      StreamOpen.self, .init(all: true, batchSize: 1, imageSize: 16, snapshot: open.token.snapshot)
    ).result
    let errors = (0..<2).compactMap {
      second.refusal(BatchGet.self, .init(stream: again.stream, k: $0))
    }
    #expect(errors.count == 1)
    #expect(errors.first?.word == .tripletCorrupt)
    #expect(errors.first?.message.contains("triplet 1") == true)
    let counts = try second.call(Counts.self, .init()).result.categories
    #expect(counts.map(\.stock) == [0, 1])
  }
}
