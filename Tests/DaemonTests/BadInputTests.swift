import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// Requests that are well-formed and wrong: the word, the message, and a store as it was.
@Suite struct BadInputTests {
  private let daemon: DaemonProcess
  private let client: DaemonClient
  private let bystander: DaemonClient

  init() throws {
    daemon = try DaemonProcess()
    client = try daemon.client()
    bystander = try daemon.client()
    try client.order("cat", 2)
    _ = try client.work(1)
  }

  private func expect<M: Method>(
    _ method: M.Type, _ params: M.Params, body: [UInt8] = [], _ word: ErrorWord,
    _ message: String, _ location: SourceLocation = #_sourceLocation
  ) throws {
    let error = client.refusal(method, params, body: body)
    #expect(error?.word == word, sourceLocation: location)
    #expect(error?.message == message, sourceLocation: location)
    let check = try bystander.call(Check.self, .init(deep: true)).result
    #expect(check.problems == [], sourceLocation: location)
    #expect(check.triplets == 1, sourceLocation: location)
  }

  @Test(
    "a category that is no name is refused with what is wrong with it",
    arguments: [
      ("", "an empty category name; give a noun such as 'cat'"),
      (
        String(repeating: "a", count: 10_000),
        "a category name of 10000 bytes; at most 64 characters are allowed"
      ),
      (
        String(repeating: "a", count: 65),
        "a category name of 65 characters; at most 64 are allowed"
      ),
      (
        "cat 🐈",
        "category name 'cat 🐈' holds U+1F408; allowed are letters, digits, spaces, hyphens, "
          + "apostrophes, full stops and ampersands"
      ),
      (
        "cat\\u0007",
        "category name 'cat\u{FFFD}' holds U+7; allowed are letters, digits, spaces, hyphens, "
          + "apostrophes, full stops and ampersands"
      ),
      ("-cat", "category name '-cat' starts with '-'; start with a letter or a digit"),
    ])
  func badCategory(name: String, message: String) throws {
    let peer = try RawPeer(daemon.socket)
    try peer.send(
      Array(
        #"{"jsonrpc":"2.0","id":1,"method":"backfill","params":{"goals":[{"category":"\#(name)","target":1}]}}"#
          .utf8) + [10])
    let text = try #require(try peer.text())
    let error = try JSONText.decode(ResponseHead.self, from: Array(text.utf8)).error
    #expect(error?.data.word == "category_invalid")
    #expect(error?.message == message)
    #expect(try bystander.call(Counts.self, .init()).result.categories.count == 1)
  }

  @Test("what the store does not know is refused by name")
  func unknownThings() throws {
    let unicorn = try CategoryName("unicorn")
    try expect(
      Counts.self, .init(categories: [unicorn]), .categoryUnknown,
      "no category 'unicorn' in this store; 'groundwell counts' lists them, "
        + "'groundwell backfill' makes one")
    try expect(TripletGet.self, .init(triplet: 99), .tripletUnknown, "no triplet 99 in this store")
    try expect(TripletGet.self, .init(triplet: -1), .tripletUnknown, "no triplet -1 in this store")
    try expect(
      JobCancel.self, .init(jobs: [42]), .jobUnknown, "no job 42; 'groundwell jobs' lists them")
    try expect(
      JobWait.self, .init(jobs: [1, 42], waitSeconds: 1), .jobUnknown,
      "no job 42; 'groundwell jobs' lists them")
    try expect(
      BatchGet.self, .init(stream: 3, k: 0), .streamUnknown,
      "no stream 3 on this connection; open one with 'stream.open'")
    try expect(
      StreamOpen.self, .init(split: "pascal-9", batchSize: 1), .splitUnknown,
      "no split 'pascal-9' in this store; there are coco-1, coco-2, coco-3, pascal-1, pascal-2, "
        + "pascal-3, stickers-1, stickers-2, stickers-3, zs3")
  }

  @Test("numbers outside their range are refused with the range")
  func outOfRange() throws {
    let cat = try CategoryName("cat")
    try expect(
      Backfill.self, .init(goals: [.init(category: cat, target: 0)]), .invalidParams,
      "target of 'cat' is 0; expected 1 to 10000000")
    try expect(
      Backfill.self, .init(goals: []), .invalidParams,
      "the number of goals is 0; expected 1 to 4096")
    try expect(
      Backfill.self, .init(goals: [.init(category: cat, target: 9)], imageSize: 4096),
      .invalidParams, "image_size is 4096; expected 8 to 2048")
    try expect(
      Backfill.self,
      .init(goals: [.init(category: cat, target: 9), .init(category: cat, target: 8)]),
      .invalidParams, "a category is there twice among the goals")
    try expect(
      Backfill.self, .init(goals: [.init(category: cat, target: 9)], seed: 1 << 60),
      .invalidParams, "seed is 1152921504606846976; expected 0 to 9007199254740991")
    try expect(
      WorkLease.self, .init(worker: "w", engines: ["scenes"], count: 0), .invalidParams,
      "count is 0; expected 1 to 256")
    try expect(
      WorkLease.self, .init(worker: "", engines: ["scenes"], count: 1), .invalidParams,
      "worker has 0 bytes; expected 1 to 256")
    try expect(
      JobWait.self, .init(jobs: [1], waitSeconds: 1e9), .invalidParams,
      "wait_seconds is 1000000000.0; expected 0.0 to 3600.0")
    try expect(
      TripletQuery.self, .init(limit: 0), .invalidParams, "limit is 0; expected 1 to 1000")
  }

  @Test("a submission with a stale token, of a wrong item or with a wrong body changes nothing")
  func wrongSubmissions() throws {
    let items = try client.call(
      WorkLease.self, .init(worker: "w", engines: ["scenes"], count: 1)
    ).result.items
    let lease = try #require(items.first).lease
    let good = try Triplet.sample(side: 16)
    let facts = { (lease: LeaseReference, masks: [MaskInfo]) in
      WorkSubmit.Params(
        lease: lease, prompt: good.prompt, masks: masks, provenance: good.provenance)
    }
    let body = TripletBody.encode(image: good.image, masks: good.masks.map(\.mask))
    let infos = good.masks.map(\.info)
    var stale = lease
    stale.token += 5
    try expect(
      WorkSubmit.self, facts(stale, infos), body: body, .tokenStale,
      "item 1 of job 1 is leased under token 1, not 6; drop the work and lease again")
    try expect(
      WorkSubmit.self, facts(LeaseReference(job: 8, ordinal: 0, token: 1), infos), body: body,
      .itemUnknown, "job 8 has no item 0 that was leased")
    try expect(
      WorkSubmit.self, facts(lease, infos + infos), body: body, .badBody,
      "the body has 1 masks, the request describes 2")
    try expect(
      WorkSubmit.self, facts(lease, infos), body: Array(body.dropLast(9)), .badBody,
      "body: 'masks' [1, 16, 16] lies at [768, 1024]; expected 768 to 1024 of 1015 bytes")
    try expect(
      WorkSubmit.self, facts(lease, infos), body: [], .badBody,
      "body: 0 bytes; expected at least 8")
    let other = try Triplet.sample(side: 32)
    try expect(
      WorkSubmit.self, facts(lease, infos),
      body: TripletBody.encode(image: other.image, masks: other.masks.map(\.mask)),
      .invalidParams, "item 1 of job 1 wants an image of 16x16, not 32x32")
    let gray = BinaryMask(width: 16, height: 16, values: Array(repeating: 7, count: 256))
    try expect(
      WorkSubmit.self, facts(lease, infos),
      body: TripletBody.encode(image: good.image, masks: [gray]), .badBody,
      "mask value 7 at pixel 0; expected 0 or 1")
    let empty = BinaryMask(width: 16, height: 16, values: Array(repeating: 0, count: 256))
    try expect(
      WorkSubmit.self, facts(lease, infos),
      body: TripletBody.encode(image: good.image, masks: [empty]), .invalidParams,
      "mask 0 ('cat') covers no pixel; leave it out")
    #expect(try !client.submit(lease, good).duplicate)
  }

  @Test("a stream that cannot be is refused with the reason")
  func badStreams() throws {
    let cat = try CategoryName("cat")
    try expect(
      StreamOpen.self, .init(batchSize: 4), .invalidParams,
      "give one of 'categories', 'split' and 'all'")
    try expect(
      StreamOpen.self, .init(categories: [cat], all: true, batchSize: 4), .invalidParams,
      "give one of 'categories', 'split' and 'all'")
    try expect(
      StreamOpen.self, .init(categories: [cat, cat], batchSize: 4), .invalidParams,
      "a category is there twice")
    try expect(
      StreamOpen.self, .init(all: true, batchSize: 0), .invalidParams,
      "batch_size is 0; expected 1 to 4096")
    try expect(
      StreamOpen.self, .init(all: true, batchSize: 4, policy: "loud"), .unsupported,
      "policy 'loud' is not offered; this daemon has: balanced, natural, weights, repeat-factor, "
        + "mixture")
    try expect(
      StreamOpen.self, .init(all: true, batchSize: 4, delivery: "pigeon"), .unsupported,
      "delivery 'pigeon' is not offered; this daemon has: inline, memfd")
    try expect(
      StreamOpen.self, .init(all: true, batchSize: 4, rank: 4, world: 4), .invalidParams,
      "rank 4 of world 4; expected world 1 to batch_size (4) and rank below world")
    try expect(
      StreamOpen.self, .init(all: true, batchSize: 4, snapshot: 1000), .snapshotGone,
      "snapshot 1000 is not in this store, whose newest is 1")
    try expect(
      StreamOpen.self, .init(all: true, batchSize: 4, store: "other"), .snapshotGone,
      "the token is of store other, this is \(client.greeting.store)")
    try expect(
      StreamOpen.self, .init(all: true, batchSize: 4096, imageSize: 2048), .invalidParams,
      "a batch of 4096 images of 2048x2048 takes 103079280640 bytes; at most 267386880: "
        + "ask for fewer or smaller ones")
    try expect(
      StreamOpen.self, .init(categories: [cat], batchSize: 4, minimum: 5, onThin: .fail),
      .categoryThin,
      "'cat' has 1 triplets in snapshot 1, the stream needs 5; backfill it, or open with on_thin "
        + "'wait' and no snapshot")
    let stream = try client.call(StreamOpen.self, .init(categories: [cat], batchSize: 4)).result
    try expect(
      BatchGet.self, .init(stream: stream.stream, k: -1), .invalidParams,
      "k is -1; expected 0 to 1099511627776")
  }
}
