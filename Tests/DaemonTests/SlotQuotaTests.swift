import Schema
import Testing
import Wire

@testable import Daemon

/// Quotas of shared memory, and the slots of one connection, by themselves.
@Suite struct SlotQuotaTests {
  private func ledger() -> SlotLedger {
    var limits = Limits.standard
    limits.maximumSlotBytesPerConnection = 100
    limits.maximumSlotBytesPerUser = 250
    limits.maximumSlotBytes = 400
    return SlotLedger(limits)
  }

  private func refusal(
    _ ledger: SlotLedger, _ bytes: Int, user: UInt32, held: Int = 0
  ) -> DaemonError? {
    do throws(DaemonError) {
      try ledger.reserve(bytes, user: user, connectionBytes: held)
      return nil
    } catch {
      return error
    }
  }

  @Test("a connection, a user and all together each have a quota, and the error names it")
  func quotas() {
    let ledger = ledger()
    #expect(refusal(ledger, 100, user: 1) == nil)
    let connection = refusal(ledger, 1, user: 1, held: 100)
    #expect(connection?.word == .overQuota)
    #expect(connection?.message.contains("this connection may have 100 bytes") == true)
    #expect(refusal(ledger, 100, user: 1) == nil)
    let user = refusal(ledger, 51, user: 1)
    #expect(user?.message.contains("user 1 may have 250 bytes") == true)
    #expect(user?.message.contains("has 200") == true)
    #expect(refusal(ledger, 50, user: 1) == nil)
    #expect(refusal(ledger, 100, user: 2) == nil)
    let total = refusal(ledger, 51, user: 3)
    #expect(total?.message.contains("all clients together may have 400 bytes") == true)
    // What was refused does not count, and what is given back counts no more.
    #expect(ledger.totalBytes == 350)
    ledger.release(100, user: 1)
    #expect(ledger.totalBytes == 250)
    #expect(refusal(ledger, 100, user: 1) == nil)
    #expect(refusal(ledger, 51, user: 3)?.message.contains("all clients together") == true)
    #expect(refusal(ledger, 50, user: 3) == nil)
  }

  @Test("slots that batches are out in count against a stream's limit, one stream's not another's")
  func limits() throws {
    var table = SlotTable()
    for k in 0..<2 {
      try table.begin(stream: 1, limit: 2)
      let place = table.add(try SharedMemory.create(capacityBytes: 1 << 16), stream: 1)
      let isGiven = table.give(place.number, k: k)
      #expect(place.isNew && isGiven)
      table.end(stream: 1)
    }
    #expect(throws: DaemonError.self) { try table.begin(stream: 1, limit: 2) }
    try table.begin(stream: 2, limit: 1)
    // One on its way counts as well.
    #expect(throws: DaemonError.self) { try table.begin(stream: 2, limit: 1) }
    table.end(stream: 2)
    try table.begin(stream: 2, limit: 1)
    #expect(table.done(stream: 1, k: 0, slot: nil, isDiscarded: false) == 0)
    try table.begin(stream: 1, limit: 2)
  }

  @Test("the slot that became free last is used first, and one that is too small is dropped")
  func reuse() throws {
    var table = SlotTable()
    var numbers: [Int] = []
    for (k, size) in [1 << 16, 1 << 17, 1 << 17].enumerated() {
      let place = table.add(try SharedMemory.create(capacityBytes: size), stream: 1)
      let isGiven = table.give(place.number, k: k)
      #expect(isGiven)
      numbers.append(place.number)
    }
    #expect(table.takeFree(stream: 1, bytes: 1) == nil)
    for k in [1, 2, 0] { _ = table.done(stream: 1, k: k, slot: nil, isDiscarded: false) }
    #expect(table.takeFree(stream: 2, bytes: 1) == nil)
    let large = table.takeFree(stream: 1, bytes: 1 << 17)
    #expect(large?.number == numbers[2] && large?.isNew == false)
    #expect(table.dropFree(stream: 1, smallerThan: 1 << 17) == 1 << 16)
    table.takeBack(numbers[2])
    #expect(table.takeFree(stream: 1, bytes: 1)?.number == numbers[2])
    #expect(table.totalBytes == 2 << 17)
    // A batch that was being written when its stream was closed has no slot any more.
    #expect(table.close(stream: 1) == 2 << 17)
    let isGiven = table.give(numbers[2], k: 9)
    #expect(!isGiven)
    #expect(table.totalBytes == 0)
    #expect(SlotTable.capacityBytes(for: 1) == 1 << 16)
    #expect(SlotTable.capacityBytes(for: (1 << 16) + 1) == 2 << 16)
  }
}
