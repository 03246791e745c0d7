import Synchronization
import Logging
import Foundation
import Schema
import Store
import Wire

/// One client: its requests, its streams and its leases.
///
/// Requests run side by side and are answered as they finish. What the client leaves behind when
/// it goes (streams, leases, waits) ends with the session.
actor Session {
  /// What a request gives: the result and the body behind it.
  typealias Answer<M: Method> = (result: M.Result, body: [UInt8])

  /// How long requests may go on, and answers lie unread, once the daemon is asked to stop.
  private static let stopLimit: Duration = .seconds(5)

  /// The connection's own loop, so that a request goes from its bytes to its answer without a
  /// change of threads unless it waits for something.
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe connection.unownedExecutor }

  let number: Int
  let context: DaemonContext
  nonisolated let connection: Connection
  private var clientName: String?
  /// Waits for the connection to be over.
  private var over: CheckedContinuation<Void, Never>?
  private var running: [Int: Task<Void, Never>] = [:]
  private var nextTask = 1
  private var isStopping = false
  /// Nothing more is begun.
  private var hasLeft = false
  /// Bytes of answers that are being made.
  private var reservedBytes = 0
  /// Streams by their number on this connection.
  var streams: [Int: OpenStream] = [:]
  /// The number of the last stream.
  var lastStream = 0
  /// Shared memory that this client has, or may soon have.
  var slots = SlotTable()
  /// The last two batches that are being made; the next one waits for the first of them.
  private var lastTurns: [Task<Void, Never>?] = [nil, nil]

  init(_ number: Int, _ connection: Connection, _ context: DaemonContext) {
    self.number = number
    self.connection = connection
    self.context = context
  }

  /// Serves the connection until it is over.
  func run() async {
    await withCheckedContinuation { continuation in
      over = continuation
      onConnection { connection in
        connection.start { [self] event in assumeIsolated { $0.handle(event) } }
      }
    }
    await leave()
  }

  private func handle(_ event: Connection.Event) {
    switch event {
    case .message(let json, let body): take(json, body)
    case .broken(let error):
      context.counters.brokenConnections.wrappingAdd(1, ordering: .relaxed)
      context.logger.notice(
        "a client broke the protocol",
        metadata: ["session": "\(number)", "error": "\(error.message)"])
      send(error: DaemonError(error), id: nil, thenClose: true)
    case .ended: finishThenClose()
    case .closed:
      over?.resume()
      over = nil
    }
  }

  /// What the connection does at once: it shares this actor's thread.
  private func onConnection(_ body: (isolated Connection) -> Void) {
    connection.assumeIsolated(body)
  }

  /// Answers an error and closes, without serving anything.
  func refuse(_ error: DaemonError) async {
    await connection.start { _ in }
    send(error: error, id: nil, thenClose: true)
  }

  /// Lets running requests finish for a while, then closes.
  func stop() async {
    isStopping = true
    let limit = Task {
      try await Task.sleep(for: Self.stopLimit)
      for task in self.running.values { task.cancel() }
      await self.connection.close()
    }
    await finishRequests()
    limit.cancel()
  }

  private func finishThenClose() { Task { await finishRequests() } }

  private func finishRequests() async {
    while let task = running.values.first { await task.value }
    await connection.closeWhenSent()
  }

  private func leave() async {
    hasLeft = true
    for task in running.values { task.cancel() }
    // What a request is still about to give this client must be there to be given back.
    while let task = running.values.first { await task.value }
    context.figures.streamCount.withLock { $0 -= streams.count }
    streams = [:]
    context.slotLedger.release(slots.closeAll(), user: connection.peer.user)
    let leases = context.leases.remove(session: number)
    guard !leases.isEmpty else { return }
    do {
      // A worker goes through its leases in order: the first may be what ended it.
      let lost = isStopping ? [] : Array(leases.prefix(1))
      try await context.store.release(leases, lost: lost)
      context.logger.info(
        "a client left with leases", metadata: ["session": "\(number)", "count": "\(leases.count)"])
    } catch {
      // They run out by themselves.
      context.logger.warning("leases were not returned", metadata: ["error": "\(error)"])
    }
  }

  // MARK: Requests

  /// Starts to answer a message.
  private func take(_ json: [UInt8], _ body: [UInt8]) {
    guard json.count > IncomingRequest.shortBytes else {
      return begin(Self.head(json), json, body)
    }
    let (number, pool) = (nextTask, context.pool)
    nextTask += 1
    running[number] = Task {
      let head = await withTaskExecutorPreference(pool) { Self.head(json) }
      running[number] = nil
      begin(head, json, body)
    }
  }

  private static func head(_ json: [UInt8]) -> Result<RequestHead, SchemaError> {
    do throws(SchemaError) {
      return .success(try JSONText.decode(RequestHead.self, from: json))
    } catch {
      return .failure(error)
    }
  }

  private func begin(
    _ head: Result<RequestHead, SchemaError>, _ json: [UInt8], _ body: [UInt8]
  ) {
    if !isBegun(head, json, body) { onConnection { $0.finish(bytes: json.count + body.count) } }
  }

  /// Starts to answer a message; false when it is dealt with already.
  private func isBegun(
    _ decoded: Result<RequestHead, SchemaError>, _ json: [UInt8], _ body: [UInt8]
  ) -> Bool {
    guard !hasLeft else { return false }
    let head: RequestHead
    do throws(SchemaError) {
      head = try decoded.get()
    } catch {
      let word: ErrorWord = error.code == .badJSON ? .parseError : .invalidRequest
      send(error: DaemonError(word, "request: \(error.message)"), id: nil)
      return false
    }
    guard head.jsonrpc == "2.0" else {
      let error = DaemonError(
        .invalidRequest, "jsonrpc is '\(head.jsonrpc.prefix(16))'; expected '2.0'")
      send(error: error, id: head.id)
      return false
    }
    // A notification asks for nothing, and no method of this protocol is one.
    guard head.isAnswered else { return false }
    guard let id = head.id else {
      let error = DaemonError(.invalidRequest, "id is null; expected an integer or a string")
      send(error: error, id: nil)
      return false
    }
    guard running.count < context.settings.limits.maximumOutstandingRequests else {
      let error = DaemonError(
        .overQuota, "\(running.count) requests of this connection are unanswered; wait for some",
        retryAfterMilliseconds: 10)
      send(error: error, id: id)
      return false
    }
    let request = IncomingRequest(
      id: id, method: head.method, json: json, body: body, pool: context.pool)
    if head.method == BatchDone.name {
      // Before the next request is read: that one may need what this one gives back.
      answerDone(request)
      return false
    }
    let number = nextTask
    nextTask += 1
    running[number] = Task {
      await self.answer(request)
      self.running[number] = nil
      await self.connection.finish(bytes: json.count + body.count)
    }
    return true
  }

  private func answer(_ request: IncomingRequest) async {
    do {
      try admit(request)
      try deliver(
        request.method == BatchGet.name
          ? try await batch(request) : OutgoingFrame(try await dispatch(request)), request)
    } catch {
      fail(request, error)
    }
  }

  /// Answers before the next request is read.
  private func answerDone(_ request: IncomingRequest) {
    do {
      try admit(request)
      let result = try batchDone(try request.params(BatchDone.self))
      try deliver(OutgoingFrame(try request.frame(BatchDone.self, result)), request)
    } catch {
      fail(request, error)
    }
  }

  private func deliver(
    _ reply: OutgoingFrame, _ request: IncomingRequest
  ) throws(DaemonError) {
    guard !reply.hasBody || !connection.speaksLines else {
      throw DaemonError(
        .framesRequired,
        "the answer to '\(request.method)' has a body; connect with frames instead of lines")
    }
    let (count, limit) = (reply.frame.json.count, context.settings.limits.maximumAnswerJsonBytes)
    guard count <= limit else {
      throw DaemonError(
        .overQuota,
        "the answer to '\(request.method)' would have \(count) bytes of JSON; at most \(limit): "
          + "ask for fewer things at a time")
    }
    context.counters.answeredRequests.wrappingAdd(1, ordering: .relaxed)
    onConnection { $0.send(reply) }
  }

  private func fail(_ request: IncomingRequest, _ error: any Error) {
    let failure = DaemonError(any: error)
    context.counters.countRefusal(failure.word)
    if failure.word == .internalError {
      context.logger.error(
        "a request failed", metadata: ["method": "\(request.method)", "error": "\(error)"])
    }
    send(error: failure, id: request.id)
  }

  private func admit(_ request: IncomingRequest) throws(DaemonError) {
    guard clientName != nil || connection.speaksLines || request.method == Hello.name else {
      throw DaemonError(
        .helloRequired, "'\(request.method.prefix(64))' came before 'hello'; greet first")
    }
    guard !context.signal.isStopping else {
      throw DaemonError(.stopping, "the daemon is stopping", retryAfterMilliseconds: 1000)
    }
  }

  private func dispatch(_ request: IncomingRequest) async throws -> WireFrame {
    switch request.method {
    case Hello.name: return try await request.answer(Hello.self) { try hello($0) }
    case Ping.name: return try await request.answer(Ping.self) { _ in Empty() }
    case Status.name: return try await request.answer(Status.self) { _ in try await status() }
    case Diagnose.name:
      return try await request.answer(Diagnose.self) { _ in try await diagnose() }
    case Counts.name: return try countsAnswer(request)
    case Check.name:
      return try await request.answer(Check.self, isLong: true) {
        try await check($0, request.id)
      }
    case Recount.name:
      return try await request.answer(Recount.self) { _ in try await context.store.recount() }
    case Backup.name:
      return try await request.answer(Backup.self) { try await backup($0, request.id) }
    case Backfill.name: return try await request.answer(Backfill.self) { try await backfill($0) }
    case JobList.name:
      return try await request.answer(JobList.self, isLong: true) { try await jobList($0) }
    case JobCancel.name: return try await request.answer(JobCancel.self) { try await jobCancel($0) }
    case JobWait.name:
      return try await request.answer(JobWait.self) { try await jobWait($0, request.id) }
    case TripletQuery.name:
      return try await request.answer(TripletQuery.self, isLong: true) { try await query($0) }
    case TripletSearch.name:
      return try await request.answer(TripletSearch.self, isLong: true) {
        try await context.store.search($0)
      }
    case QuarantineList.name:
      return try await request.answer(QuarantineList.self, isLong: true) {
        try await context.store.quarantined($0)
      }
    case QuarantineRelease.name:
      return try await request.answer(QuarantineRelease.self) { try await release($0) }
    case TripletGet.name:
      return try await request.answerWithBody(TripletGet.self) { try await tripletGet($0) }
    case TripletImport.name:
      let result = try await importTriplets(
        try await request.paramsOfAnyLength(TripletImport.self), request.body)
      return WireFrame(json: try result.responseText(id: request.id))
    case ImportList.name:
      return try await request.answer(ImportList.self, isLong: true) { try await imported($0) }
    case TripletDelete.name:
      return try await request.answer(TripletDelete.self) { try await delete($0) }
    case Compact.name:
      return try await request.answer(Compact.self) { try await compact($0, request.id) }
    case WorkLease.name: return try await request.answer(WorkLease.self) { try await lease($0) }
    case WorkRenew.name: return try await request.answer(WorkRenew.self) { try await renew($0) }
    case WorkSubmit.name:
      return try await request.answer(WorkSubmit.self) { try await submit($0, request.body) }
    case WorkFail.name: return try await request.answer(WorkFail.self) { try await fail($0) }
    case WorkRelease.name:
      return try await request.answer(WorkRelease.self) { try await release($0) }
    case StreamOpen.name:
      return try await request.answer(StreamOpen.self) { try await streamOpen($0, request.id) }
    case StreamClose.name: return try await request.answer(StreamClose.self) { try streamClose($0) }
    default:
      throw DaemonError(
        .methodUnknown,
        "no method '\(request.method.prefix(64))'; schema/wire/openrpc.json lists them")
    }
  }

  private func hello(_ params: Hello.Params) throws(DaemonError) -> Hello.Result {
    guard let version = Methods.protocolVersions.first(where: params.protocols.contains) else {
      throw DaemonError(
        .protocolUnsupported,
        "the client speaks protocols \(params.protocols), this daemon "
          + "\(Methods.protocolVersions); update the older of the two")
    }
    let offered = BatchFormat.Delivery.allCases.map(\.rawValue)
    if let missing = (params.requires ?? []).first(where: { !offered.contains($0) }) {
      throw DaemonError(
        .unsupported, "the client requires '\(missing.prefix(64))'; this daemon offers \(offered)")
    }
    clientName = String(params.client.prefix(64))
    context.logger.debug(
      "hello",
      metadata: [
        "session": "\(number)", "client": "\(clientName ?? "")",
        "pid": "\(connection.peer.process)",
      ])
    return Hello.Result(
      protocolVersion: version, server: "groundwelld \(Release.version)",
      store: context.store.uuid, capabilities: offered, limits: context.settings.limits)
  }

  // MARK: Messages out

  /// Makes two batches at a time: while the pixels of one are decoded, the next is looked up.
  ///
  /// A client that asks for many ahead leaves room for the others in between.
  func inTurn<T>(_ make: () async throws -> sending T) async throws -> sending T {
    let previous = lastTurns.removeFirst()
    let (over, turn) = AsyncStream.makeStream(of: Void.self)
    lastTurns.append(Task { for await _ in over {} })
    defer { turn.finish() }
    await previous?.value
    try Task.checkCancellation()
    return try await make()
  }

  /// Makes an answer of `bytes` once there is room for it.
  ///
  /// One answer is always allowed, however large; several must fit what may lie unread.
  func withRoom<T>(for bytes: Int, _ make: () async throws -> sending T) async throws -> sending T {
    let held = await connection.unreadBytes + reservedBytes
    let limit = context.settings.limits.maximumUnreadBytes
    guard held == 0 || held + bytes <= limit else {
      throw DaemonError(
        .overQuota,
        "\(held) bytes of answers lie unread on this connection, and \(bytes) more would be over "
          + "its \(limit); read some first", retryAfterMilliseconds: 50)
    }
    reservedBytes += bytes
    defer { reservedBytes -= bytes }
    return try await make()
  }

  /// Reports how far a waiting request is.
  func sendProgress(_ id: RequestID, _ jobs: [JobInfo]) {
    send(JobProgress(request: id, jobs: jobs))
  }

  /// Reports how many bytes a request that goes through the store has dealt with.
  func sendProgress(_ id: RequestID, doneBytes: Int, totalBytes: Int) {
    send(JobProgress(request: id, doneBytes: doneBytes, totalBytes: totalBytes))
  }

  private func send(_ progress: JobProgress) {
    let note = Request(id: nil, method: Methods.progressName, params: progress)
    do throws(SchemaError) {
      let frame = OutgoingFrame(WireFrame(json: try JSONText.encode(note)))
      onConnection { $0.send(frame) }
    } catch {
      context.logger.error("a progress report failed", metadata: ["error": "\(error)"])
    }
  }

  private func send(error: DaemonError, id: RequestID?, thenClose: Bool = false) {
    do throws(SchemaError) {
      let json = try JSONText.encode(ErrorResponse(id: id, error: error.object))
      onConnection { $0.send(OutgoingFrame(WireFrame(json: json)), thenClose: thenClose) }
    } catch {
      context.logger.error("an error was not sent", metadata: ["error": "\(error)"])
    }
  }
}
