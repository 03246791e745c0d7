public import Schema
import Foundation

/// A stream of batches, as a loop wants it: one batch after the other, asked for ahead, whatever
/// happens to the connection.
///
///     let stream = try BatchStream(socketPath: path, clientName: "trainer", params)
///     while let batch = try stream.next() { … }
///
/// After a daemon restart it connects again and goes on with the exact next batch. For one thread
/// at a time; batches may be let go of anywhere.
public final class BatchStream {
  /// How long a lost connection is tried again unless the caller says otherwise.
  public static let standardPatience: Duration = .seconds(60)
  private static let pauseMicroseconds: UInt32 = 50_000
  /// Batches that are asked for ahead at most; with `inline` they lie in memory meanwhile.
  private static let maximumAhead = (shared: 8, inline: 1)

  /// What the daemon has granted.
  public private(set) var opened: StreamOpen.Result
  /// The number of the batch that ``next()`` gives.
  public private(set) var position: Int

  private let socketPath: String
  private let clientName: String
  private let patience: Duration
  private var params: StreamOpen.Params
  private var client: DaemonClient
  private var pending: [Int: RequestID] = [:]
  private var slots: [Int: SharedMemory] = [:]
  private var returns = SlotReturns()
  /// Edges of a following stream, as the last batch told them.
  private var lastToken: ResumeToken

  /// Opens a stream.
  ///
  /// - Parameters:
  ///   - params: what `stream.open` takes; delivery is `memfd` unless it says otherwise.
  ///   - position: the first batch.
  ///   - patience: how long a lost connection is tried again.
  /// - Throws: ``WireError``.
  public init(
    socketPath: String, clientName: String, _ params: StreamOpen.Params, from position: Int = 0,
    patience: Duration = BatchStream.standardPatience,
    onProgress: (JobProgress) -> Void = { _ in }
  ) throws(WireError) {
    var params = params
    params.delivery = params.delivery ?? "memfd"
    self.socketPath = socketPath
    self.clientName = clientName
    self.patience = patience
    self.position = position
    client = try DaemonClient.connect(socketPath: socketPath, clientName: clientName)
    let wait = Duration.seconds((params.waitSeconds ?? 600) + 30)
    opened = try client.call(StreamOpen.self, params, timeout: wait, onProgress: onProgress).result
    lastToken = opened.token
    params.snapshot = opened.token.snapshot
    params.store = opened.token.store
    self.params = params
  }

  /// Continues the stream anywhere, at the batch that ``next()`` would give.
  public var token: ResumeToken {
    var token = lastToken
    token.k = position
    return token
  }

  /// Goes to batch `k`.
  public func seek(to k: Int) { position = k }

  /// The next batch.
  ///
  /// - Throws: ``WireError``; the position stays, so that the same batch can be asked for again.
  public func next() throws(WireError) -> StreamBatch {
    let batch = try get(position, ahead: true)
    position += 1
    return batch
  }

  /// Batch `k`, wherever the stream stands.
  ///
  /// - Throws: ``WireError``.
  public func get(_ k: Int) throws(WireError) -> StreamBatch { try get(k, ahead: false) }

  /// Closes the stream; batches that are still held stay valid.
  ///
  /// - Throws: ``WireError``.
  public func close() throws(WireError) {
    _ = try client.call(StreamClose.self, .init(stream: opened.stream))
  }

  private func get(_ k: Int, ahead: Bool) throws(WireError) -> StreamBatch {
    let deadline = ContinuousClock.now + patience
    while true {
      do throws(WireError) {
        try giveBack()
        try ask(k)
        if ahead { try askAhead(of: k) }
        return try receive(k)
      } catch {
        switch error {
        case _ where error.isLost: try reopen(until: deadline)
        case _ where error.word == .overQuota && ContinuousClock.now < deadline:
          usleep(Self.pauseMicroseconds)
        default: throw error
        }
      }
    }
  }

  /// Tells the daemon of batches that nobody holds any more.
  private func giveBack() throws(WireError) {
    for done in returns.take() {
      try client.post(
        BatchDone.self, .init(stream: opened.stream, k: done.k, slot: done.slot))
    }
  }

  private func ask(_ k: Int) throws(WireError) {
    guard pending[k] == nil else { return }
    pending[k] = try client.send(BatchGet.self, .init(stream: opened.stream, k: k))
  }

  private func askAhead(of k: Int) throws(WireError) {
    let isShared = opened.delivery == "memfd"
    let room =
      isShared ? opened.slots - returns.heldCount - pending.count : Self.maximumAhead.inline
    let limit = min(room, isShared ? Self.maximumAhead.shared : Self.maximumAhead.inline)
    guard limit > 0 else { return }
    for number in (k + 1)...(k + limit) where number <= Limits.standard.maximumBatchNumber {
      try ask(number)
    }
  }

  private func receive(_ k: Int) throws(WireError) -> StreamBatch {
    guard let id = pending.removeValue(forKey: k) else {
      throw WireError(.badProtocol, "batch \(k) was not asked for")
    }
    let answer = try client.receiveWithDescriptors(BatchGet.self, id: id)
    lastToken = answer.result.token
    guard let slot = answer.result.slot else {
      answer.descriptors.forEach { Foundation.close($0) }
      return try StreamBatch(answer.result, .bytes(answer.body))
    }
    if slot.descriptor {
      guard let descriptor = answer.descriptors.first, answer.descriptors.count == 1 else {
        answer.descriptors.forEach { Foundation.close($0) }
        throw WireError(
          .badProtocol, "slot \(slot.slot) came with \(answer.descriptors.count) descriptors")
      }
      slots[slot.slot] = try SharedMemory(
        owning: descriptor, capacityBytes: slot.capacityBytes)
    } else {
      answer.descriptors.forEach { Foundation.close($0) }
    }
    guard let memory = slots[slot.slot], (8...memory.capacityBytes).contains(slot.bytes) else {
      throw WireError(.badProtocol, "slot \(slot.slot) is unknown or has not \(slot.bytes) bytes")
    }
    return try StreamBatch(
      answer.result,
      .shared(memory, count: slot.bytes, SlotReturn(returns, k: k, slot: slot.slot)))
  }

  /// Connects again and opens the same stream.
  private func reopen(until deadline: ContinuousClock.Instant) throws(WireError) {
    pending = [:]
    slots = [:]
    // What is still held belongs to a connection that is gone.
    returns = SlotReturns()
    params.edges = lastToken.edges
    while true {
      do throws(WireError) {
        client = try DaemonClient.connect(socketPath: socketPath, clientName: clientName)
        let again = try client.call(StreamOpen.self, params).result
        guard again.plan == opened.plan else {
          throw WireError(
            .badProtocol,
            "the stream has another plan after the restart (\(again.plan), was \(opened.plan))")
        }
        opened = again
        return
      } catch {
        let isTried = error.isLost || error.word == .stopping
        guard isTried, ContinuousClock.now < deadline else { throw error }
        usleep(Self.pauseMicroseconds)
      }
    }
  }
}

extension WireError {
  /// Whether the connection is gone, and a new one may work.
  fileprivate var isLost: Bool {
    switch code {
    case .closed, .unreachable: true
    case .refused: word == .stopping
    case .system: systemError == EPIPE || systemError == ECONNRESET
    case .badProtocol, .timedOut: false
    }
  }
}
