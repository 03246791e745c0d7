import Schema
import Wire

/// The slots of one connection: pieces of shared memory, each of one stream.
struct SlotTable {
  /// A slot that is to be written.
  struct Place: Sendable {
    let number: Int
    let memory: SharedMemory
    /// Whether the client has not got the descriptor yet.
    let isNew: Bool
  }

  private enum State: Equatable {
    case free
    case filling
    case out(Int)
  }

  private struct Slot {
    let memory: SharedMemory
    let stream: Int
    var state: State
    var isAnnounced = false
    /// The order in which slots became free: the last one is still in the caches.
    var freed = 0
  }

  private var slots: [Int: Slot] = [:]
  private var nextNumber = 0
  private var nextFreed = 1
  /// Batches of each stream that are being made.
  private var making: [Int: Int] = [:]

  /// Bytes of a new slot: room for more, since batches with instances differ in size.
  static func capacityBytes(for bytes: Int) -> Int {
    let page = 1 << 16
    return (bytes + page - 1) / page * page
  }

  /// Bytes of all slots.
  var totalBytes: Int { slots.values.reduce(0) { $0 + $1.memory.capacityBytes } }

  /// Counts a batch in that is to be made.
  ///
  /// - Throws: ``DaemonError`` with `over_quota` when the client has all its slots.
  mutating func begin(stream: Int, limit: Int) throws(DaemonError) {
    let out = slots.values.filter { slot in
      if case .out = slot.state { return slot.stream == stream }
      return false
    }.count
    guard out + making[stream, default: 0] < limit else {
      throw DaemonError(
        .overQuota,
        "\(out) batches of stream \(stream) are out and \(making[stream, default: 0]) on their "
          + "way, of \(limit) slots; give some back with 'batch.done'", retryAfterMilliseconds: 20)
    }
    making[stream, default: 0] += 1
  }

  /// Counts it out again.
  mutating func end(stream: Int) {
    let count = making[stream, default: 1] - 1
    making[stream] = count > 0 ? count : nil
  }

  /// A free slot of a stream with room for `bytes`.
  mutating func takeFree(stream: Int, bytes: Int) -> Place? {
    let free = slots.filter {
      $0.value.stream == stream && $0.value.state == .free
        && $0.value.memory.capacityBytes >= bytes
    }
    guard let (number, slot) = free.max(by: { $0.value.freed < $1.value.freed }) else {
      return nil
    }
    slots[number]?.state = .filling
    return Place(number: number, memory: slot.memory, isNew: !slot.isAnnounced)
  }

  /// Drops free slots of a stream that are too small; answers their bytes.
  mutating func dropFree(stream: Int, smallerThan bytes: Int) -> Int {
    remove { $0.stream == stream && $0.state == .free && $0.memory.capacityBytes < bytes }
  }

  /// Adds memory as a slot that is to be written.
  mutating func add(_ memory: SharedMemory, stream: Int) -> Place {
    let number = nextNumber
    nextNumber += 1
    slots[number] = Slot(memory: memory, stream: stream, state: .filling)
    return Place(number: number, memory: memory, isNew: true)
  }

  /// Says that a slot holds batch `k` now; false when its stream was closed meanwhile.
  mutating func give(_ number: Int, k: Int) -> Bool {
    guard slots[number] != nil else { return false }
    slots[number]?.state = .out(k)
    slots[number]?.isAnnounced = true
    return true
  }

  /// Makes a slot free whose batch could not be made.
  mutating func takeBack(_ number: Int) { free(number) }

  /// Makes the slots free in which batch `k` went out; or drops them, answering their bytes.
  mutating func done(stream: Int, k: Int, slot: Int?, isDiscarded: Bool) -> Int {
    let isMeant = { (number: Int, entry: Slot) in
      entry.stream == stream && entry.state == .out(k) && (slot == nil || slot == number)
    }
    if isDiscarded {
      let numbers = Set(slots.filter { isMeant($0.key, $0.value) }.keys)
      return drop(numbers)
    }
    for (number, entry) in slots where isMeant(number, entry) { free(number) }
    return 0
  }

  /// Drops all slots of a stream; answers their bytes.
  mutating func close(stream: Int) -> Int { remove { $0.stream == stream } }

  /// Drops all slots; answers their bytes.
  mutating func closeAll() -> Int { remove { _ in true } }

  private mutating func free(_ number: Int) {
    slots[number]?.state = .free
    slots[number]?.freed = nextFreed
    nextFreed += 1
  }

  private mutating func remove(_ isMeant: (Slot) -> Bool) -> Int {
    drop(Set(slots.filter { isMeant($0.value) }.keys))
  }

  private mutating func drop(_ numbers: Set<Int>) -> Int {
    var bytes = 0
    for number in numbers { bytes += slots.removeValue(forKey: number)?.memory.capacityBytes ?? 0 }
    return bytes
  }
}
