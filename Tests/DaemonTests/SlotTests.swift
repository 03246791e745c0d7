import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// Batches in shared memory, against a real daemon.
@Suite struct SlotTests {
  private let daemon: DaemonProcess
  private let client: DaemonClient

  init() throws {
    daemon = try DaemonProcess()
    client = try daemon.client()
    for (category, count) in [("cat", 5), ("dog", 3)] {
      try client.order(category, count)
      _ = try client.work(others: ["bird"])
    }
  }

  private func params(
    delivery: String = "memfd", slots: Int = 2, size: Int = 16,
    _ change: (inout StreamOpen.Params) -> Void = { _ in }
  ) throws -> StreamOpen.Params {
    var params = StreamOpen.Params(
      categories: [try CategoryName("cat"), try CategoryName("dog")], batchSize: 6,
      imageSize: size, seed: 5, delivery: delivery)
    params.slots = slots
    change(&params)
    return params
  }

  /// A batch with its slot mapped where it is new.
  private func get(
    _ client: DaemonClient, _ stream: Int, _ k: Int
  ) throws -> (result: BatchGet.Result, memory: SharedMemory?) {
    let id = try client.send(BatchGet.self, .init(stream: stream, k: k))
    let answer = try client.receiveWithDescriptors(BatchGet.self, id: id)
    let slot = try #require(answer.result.slot)
    #expect(answer.body.isEmpty)
    #expect(answer.descriptors.count == (slot.descriptor ? 1 : 0))
    let memory = try answer.descriptors.first.map {
      try SharedMemory(owning: $0, capacityBytes: slot.capacityBytes)
    }
    return (answer.result, memory)
  }

  private func bytes(_ memory: SharedMemory, _ result: BatchGet.Result) -> [UInt8] {
    // Safe: the daemon says how many bytes the batch has, and the memory stays for the call.
    unsafe Array(memory.bytes[0..<(result.slot?.bytes ?? 0)])
  }

  /// Slots that the daemon holds now: descriptors of memfds of its process.
  private func heldSlots() throws -> Int {
    let process = try client.call(Status.self, .init()).result.process
    let folder = "/proc/\(process)/fd"
    return try FileManager.default.contentsOfDirectory(atPath: folder).filter { entry in
      let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(entry)")
      return target?.hasPrefix("/memfd:groundwell-batch") == true
    }.count
  }

  @Test("the same number gives the same bytes in a slot and inline, in every format")
  func sameBytes() throws {
    let formats: [(inout StreamOpen.Params) -> Void] = [
      { _ in },
      { $0.layout = .nchw },
      { $0.tensors = [.image, .instances, .triplet] },
      { $0.imageSize = 9 },
      {
        $0.imageSize = 24
        $0.resize = .bilinear
      },
      {
        $0.flip = true
        $0.crop = [0.2, 0.9]
        $0.tensors = BatchTensor.allCases
        $0.layout = .nchw
      },
    ]
    for change in formats {
      let shared = try client.call(StreamOpen.self, try params(change)).result
      let inline = try client.call(StreamOpen.self, try params(delivery: "inline", change)).result
      #expect(shared.plan == inline.plan)
      for k in [0, 7] {
        let (result, memory) = try get(client, shared.stream, k)
        let body = try client.call(BatchGet.self, .init(stream: inline.stream, k: k)).body
        #expect(bytes(try #require(memory), result) == body)
        #expect(try Safetensors.decode(body).keys.contains("image"))
      }
      _ = try client.call(StreamClose.self, .init(stream: shared.stream))
    }
  }

  @Test("a slot is sent once, sealed, and used again only after done")
  func reuse() throws {
    let open = try client.call(StreamOpen.self, try params()).result
    #expect(open.delivery == "memfd" && open.slots == 2)
    let (first, memory) = try get(client, open.stream, 0)
    let held = try #require(memory)
    let before = bytes(held, first)
    // SharedMemory refuses what is not sealed; growing and shrinking must fail as well.
    #expect(ftruncate(held.descriptor, 10) == -1 && errno == EPERM)
    #expect(ftruncate(held.descriptor, off_t(held.capacityBytes * 2)) == -1 && errno == EPERM)
    let (second, other) = try get(client, open.stream, 1)
    #expect(other != nil && second.slot?.slot != first.slot?.slot)
    #expect(bytes(held, first) == before)
    _ = try client.call(
      BatchDone.self, .init(stream: open.stream, k: 1, slot: second.slot?.slot))
    let (third, none) = try get(client, open.stream, 2)
    #expect(none == nil && third.slot?.slot == second.slot?.slot)
    #expect(third.slot?.descriptor == false)
    #expect(bytes(held, first) == before)
  }

  @Test("asking for more than the slots is refused at once, and works after done")
  func quota() throws {
    let open = try client.call(StreamOpen.self, try params(slots: 1)).result
    _ = try get(client, open.stream, 0)
    let error = client.refusal(BatchGet.self, .init(stream: open.stream, k: 1))
    #expect(error?.word == .overQuota)
    #expect(error?.message.contains("1 batches of stream \(open.stream) are out") == true)
    // Another batch's number, or another slot's, frees nothing.
    _ = try client.call(BatchDone.self, .init(stream: open.stream, k: 9))
    _ = try client.call(BatchDone.self, .init(stream: open.stream, k: 0, slot: 77))
    #expect(
      client.refusal(BatchGet.self, .init(stream: open.stream, k: 1))?.word == .overQuota)
    _ = try client.call(BatchDone.self, .init(stream: open.stream, k: 0))
    #expect(try get(client, open.stream, 1).memory == nil)
  }

  @Test("a discarded slot is forgotten: the next batch comes in a new one")
  func discard() throws {
    let open = try client.call(StreamOpen.self, try params(slots: 1)).result
    let (first, memory) = try get(client, open.stream, 0)
    let held = try #require(memory)
    let before = bytes(held, first)
    _ = try client.call(
      BatchDone.self,
      .init(stream: open.stream, k: 0, slot: first.slot?.slot, discard: true))
    let (second, other) = try get(client, open.stream, 1)
    #expect(other != nil && second.slot?.slot != first.slot?.slot)
    #expect(bytes(held, first) == before)
    #expect(try heldSlots() == 1)
  }

  @Test("a client that dies, or closes its stream, gives every slot back")
  func deaths() throws {
    for _ in 0..<5 {
      let other = try daemon.client()
      let open = try other.call(StreamOpen.self, try params(slots: 4)).result
      for k in 0..<3 { _ = try get(other, open.stream, k) }
      #expect(try heldSlots() == 3)
      // Some die while batches are on their way.
      _ = try other.send(BatchGet.self, .init(stream: open.stream, k: 3))
    }
    let deadline = ContinuousClock.now + .seconds(10)
    while try heldSlots() > 0, ContinuousClock.now < deadline { usleep(5000) }
    #expect(try heldSlots() == 0)
    let open = try client.call(StreamOpen.self, try params()).result
    _ = try get(client, open.stream, 0)
    _ = try client.call(StreamClose.self, .init(stream: open.stream))
    #expect(try heldSlots() == 0)
  }

  @Test("a flipped batch is the mirror of the plain one, planes are its channels")
  func contents() throws {
    func body(_ change: (inout StreamOpen.Params) -> Void) throws -> (
      [UInt8], [String: BodyTensor]
    ) {
      let open = try client.call(
        StreamOpen.self, try params(delivery: "inline", change)
      ).result
      let body = try client.call(BatchGet.self, .init(stream: open.stream, k: 3)).body
      return (body, try Safetensors.decode(body))
    }
    let (plain, places) = try body { _ in }
    let (planes, planar) = try body { $0.layout = .nchw }
    let (flipped, mirrored) = try body { $0.flip = true }
    let image = Array(plain[try #require(places["image"]).range])
    let channels = Array(planes[try #require(planar["image"]).range])
    let mirror = Array(flipped[try #require(mirrored["image"]).range])
    #expect(planar["image"]?.shape == [6, 3, 16, 16])
    let request = try Augmentation.Request(flip: true, crop: nil)
    var flips = 0
    for item in 0..<6 {
      let part = Augmentation(
        request, seed: 5, batch: 3, batchSize: 6, slot: item, width: 16, height: 16)
      flips += part.isFlipped ? 1 : 0
      for y in 0..<16 {
        for x in 0..<16 {
          for channel in 0..<3 {
            let value = image[((item * 16 + y) * 16 + x) * 3 + channel]
            #expect(channels[((item * 3 + channel) * 16 + y) * 16 + x] == value)
            let column = part.isFlipped ? 15 - x : x
            #expect(mirror[((item * 16 + y) * 16 + column) * 3 + channel] == value)
          }
        }
      }
    }
    #expect((1...5).contains(flips))
  }

  @Test("instances are the masks of each triplet in order, with labels and offsets")
  func instances() throws {
    let open = try client.call(
      StreamOpen.self, try params(delivery: "inline") { $0.tensors = [.triplet, .instances] }
    ).result
    #expect(open.tensors == [.triplet, .instances])
    let (result, body) = try client.call(BatchGet.self, .init(stream: open.stream, k: 0))
    let tensors = try Safetensors.decode(body)
    func numbers(_ name: String, _ size: Int) throws -> [Int] {
      let range = try #require(tensors[name]).range
      return stride(from: range.lowerBound, to: range.upperBound, by: size).map { start in
        body[start..<(start + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
      }
    }
    let (ids, offsets) = (try numbers("triplet", 8), try numbers("instance_offset", 8))
    let (labels, pixels) = (try numbers("instance_label", 2), try numbers("instances", 1))
    #expect(offsets == Array(stride(from: 0, through: 12, by: 2)))
    for (item, id) in ids.enumerated() {
      let (info, stored) = try client.call(TripletGet.self, .init(triplet: Int64(id)))
      for (index, mask) in try TripletBody.decode(stored).masks.enumerated() {
        let object = offsets[item] + index
        #expect(
          pixels[(object * 256)..<((object + 1) * 256)].elementsEqual(mask.values.map(Int.init)))
        let expected = ["cat": 1, "dog": 2][info.masks[index].category.text] ?? 65535
        #expect(labels[object] == expected)
      }
    }
    #expect(result.prompts.count == 6)
  }

  @Test("prompts can be left out; what is out of range is refused by name")
  func refusals() throws {
    let open = try client.call(
      StreamOpen.self, try params(delivery: "inline") { $0.prompts = false }
    ).result
    #expect(
      try client.call(BatchGet.self, .init(stream: open.stream, k: 0)).result.prompts.isEmpty)
    func message(_ change: (inout StreamOpen.Params) -> Void) throws -> String? {
      client.refusal(StreamOpen.self, try params(change))?.message
    }
    #expect(try message { $0.slots = 0 } == "slots is 0; expected 1 to 64")
    #expect(try message { $0.slots = 65 } == "slots is 65; expected 1 to 64")
    #expect(
      try message { $0.tensors = [] } == "tensors is empty; name one, or leave it out for all")
    #expect(try message { $0.crop = [0, 1] }?.contains("expected [low, high]") == true)
    #expect(
      try message { $0.delivery = "pigeon" }
        == "delivery 'pigeon' is not offered; this daemon has: inline, memfd")
  }
}
