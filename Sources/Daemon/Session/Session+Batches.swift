import Schema
import Store
import Synchronization
import Wire

/// The batches of opened streams.
extension Session {
  /// A batch that is written, and what is to be said of it.
  private struct Batch {
    let number: Int
    var writer: BatchWriter
    var items: [BatchItem]
    var result: BatchGet.Result
  }

  /// Answers `batch.get`.
  func batch(_ request: IncomingRequest) async throws -> OutgoingFrame {
    let params = try request.params(BatchGet.self)
    let stream = try stream(params.stream)
    try inRange(params.k, 0...context.settings.limits.maximumBatchNumber, "k")
    let counters = context.counters
    counters.batchesInHand.wrappingAdd(1, ordering: .relaxed)
    defer { counters.batchesInHand.wrappingSubtract(1, ordering: .relaxed) }
    switch stream.format.delivery {
    case .inline: return try await inlineBatch(request, params, stream)
    case .memfd: return try await sharedBatch(request, params, stream)
    }
  }

  func batchDone(_ params: BatchDone.Params) throws -> Empty {
    _ = try stream(params.stream)
    let bytes = slots.done(
      stream: params.stream, k: params.k, slot: params.slot,
      isDiscarded: params.discard ?? false)
    // The client's mapping keeps the memory of what it discards: the kernel counts it as its own.
    context.slotLedger.release(bytes, user: connection.peer.user)
    return Empty()
  }

  // MARK: Delivery

  private func inlineBatch(
    _ request: IncomingRequest, _ params: BatchGet.Params, _ stream: OpenStream
  ) async throws -> OutgoingFrame {
    let size = BatchLayout.dataBytes(
      stream.format, count: stream.plan.slots.count, side: stream.imageSize)
    let drawn = try await draw(stream, params.k, request.id)
    let asked = ContinuousClock.now
    return try await withRoom(for: size) {
      try await inTurn {
        var batch = try await prepare(params.k, stream, drawn, asked)
        let memory = PlainMemory(count: batch.writer.layout.body.totalBytes)
        try await write(&batch, into: .plain(memory))
        context.counters.countBatch(
          bytes: memory.count, triplets: batch.items.count, waits: batch.result.waits,
          isShared: false)
        return OutgoingFrame(
          json: try batch.result.responseText(id: request.id), memory: memory)
      }
    }
  }

  private func sharedBatch(
    _ request: IncomingRequest, _ params: BatchGet.Params, _ stream: OpenStream
  ) async throws -> OutgoingFrame {
    guard !connection.speaksLines else {
      throw DaemonError(
        .framesRequired, "delivery 'memfd' sends descriptors; connect with frames instead of lines")
    }
    try slots.begin(stream: params.stream, limit: stream.format.slots)
    defer { slots.end(stream: params.stream) }
    let drawn = try await draw(stream, params.k, request.id)
    let asked = ContinuousClock.now
    return try await inTurn {
      var batch = try await prepare(params.k, stream, drawn, asked)
      let size = batch.writer.layout.body.totalBytes
      let place = try await slot(of: params.stream, bytes: size)
      do {
        try await write(&batch, into: .shared(place.memory))
        batch.result.slot = BatchSlot(
          slot: place.number, capacityBytes: place.memory.capacityBytes, bytes: size,
          descriptor: place.isNew)
        let json = try batch.result.responseText(id: request.id)
        guard slots.give(place.number, k: params.k) else {
          throw DaemonError(
            .streamUnknown, "stream \(params.stream) was closed while batch \(params.k) was made")
        }
        context.counters.countBatch(
          bytes: size, triplets: batch.items.count, waits: batch.result.waits, isShared: true)
        return OutgoingFrame(json: json, shared: place.isNew ? [place.memory] : [])
      } catch {
        slots.takeBack(place.number)
        throw error
      }
    }
  }

  /// A slot that is free, or a new one.
  private func slot(of stream: Int, bytes: Int) async throws -> SlotTable.Place {
    if let place = slots.takeFree(stream: stream, bytes: bytes) { return place }
    let user = connection.peer.user
    context.slotLedger.release(slots.dropFree(stream: stream, smallerThan: bytes), user: user)
    let capacity = SlotTable.capacityBytes(for: bytes)
    try context.slotLedger.reserve(capacity, user: user, connectionBytes: slots.totalBytes)
    do {
      let memory = try await withTaskExecutorPreference(context.pool) {
        try await Self.makeMemory(capacity)
      }
      return slots.add(memory, stream: stream)
    } catch {
      context.slotLedger.release(capacity, user: user)
      throw error
    }
  }

  /// Off the session's actor: the kernel clears every page.
  private nonisolated static func makeMemory(_ bytes: Int) async throws -> SharedMemory {
    do throws(WireError) {
      return try SharedMemory.create(capacityBytes: bytes)
    } catch {
      throw DaemonError(
        .overQuota, "no shared memory for a slot: \(error.message)", retryAfterMilliseconds: 1000,
        cause: error)
    }
  }

  // MARK: Making

  /// Finds out what a batch holds.
  private func prepare(
    _ number: Int, _ stream: OpenStream, _ drawn: DrawnBatch, _ asked: ContinuousClock.Instant
  ) async throws -> Batch {
    let began = ContinuousClock.now
    let facts = try await context.store.facts(drawn.ids)
    let (plan, format) = (stream.plan, stream.format)
    let items = facts.enumerated().map { index, facts in
      BatchItem(
        facts: facts, category: drawn.draws[index].category,
        probability: Float(drawn.probabilities[index]),
        part: Augmentation(
          format.augmentation, seed: plan.seed, batch: number, batchSize: plan.batchSize,
          slot: plan.slots.lowerBound + index, width: facts.width, height: facts.height))
    }
    let writer = BatchWriter(format, side: stream.imageSize, rows: stream.rows, items: items)
    let limit = context.settings.limits.maximumBatchBytes
    guard writer.layout.body.totalBytes <= limit else {
      throw DaemonError(
        .invalidParams,
        "batch \(number) takes \(writer.layout.body.totalBytes) bytes with all its objects; at "
          + "most \(limit): ask for fewer triplets")
    }
    let result = BatchGet.Result(
      k: number, token: drawn.token, prompts: format.givesPrompts ? facts.map(\.prompt) : [],
      epochs: drawn.draws.map(\.epoch), thin: drawn.thin,
      waits: BatchWaits(
        thinUs: drawn.thinWait.microseconds, quotaUs: (began - asked).microseconds,
        diskUs: (ContinuousClock.now - began).microseconds))
    return Batch(number: number, writer: writer, items: items, result: result)
  }

  /// Reads and decodes on all cores, straight to where the batch will lie.
  private func write(_ batch: inout Batch, into memory: BatchMemory) async throws {
    for _ in 0..<TripletStore.maximumMoves {
      do {
        return try await writeWhereItLies(&batch, into: memory)
      } catch let error as StoreError where error.code == .moved {
        // Compaction was quicker: the same triplets lie elsewhere now.
        let facts = try await context.store.facts(batch.items.map(\.facts.triplet))
        batch.items = zip(batch.items, facts).map { item, facts in item.at(facts) }
        batch.writer = batch.writer.writing(batch.items)
      }
    }
    throw DaemonError(
      .internalError, "batch \(batch.number) was moved again and again; ask once more",
      retryAfterMilliseconds: 100)
  }

  private func writeWhereItLies(_ batch: inout Batch, into memory: BatchMemory) async throws {
    let began = ContinuousClock.now
    let writer = batch.writer
    // Safe: `memory` has the bytes of the layout, lives until the closures have run, and nobody
    // else writes to it.
    unsafe writer.writeFacts(into: memory.bytes)
    let outcome = await context.decoders.perform(writer.count) {
      (index, tools) throws(StoreError) in
      try unsafe writer.write(index, with: tools, into: memory.bytes)
    }
    if let (index, error) = outcome.failure {
      if error.code == .corrupt {
        await context.store.setAside(
          batch.items[index].facts.triplet, reason: error.message)
      }
      throw error
    }
    context.counters.keptPixels.wrappingAdd(outcome.keptCount, ordering: .relaxed)
    // Of the time that has passed, the threads' reading together took its part.
    let passed = (ContinuousClock.now - began).microseconds
    let disk = min(passed, outcome.diskNanoseconds / 1000 / context.decoders.width)
    batch.result.waits.diskUs += disk
    batch.result.waits.decodeUs = passed - disk
  }
}
