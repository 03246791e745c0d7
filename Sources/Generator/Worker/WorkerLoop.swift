import Foundation
import Schema
import Wire

/// Leases items from the daemon over one connection, makes them and hands them in.
///
/// Triplets are handed in without waiting for the answer to the one before, so that the daemon's
/// commits can share one sync.
struct WorkerLoop {
  /// What a worker is told.
  struct Settings: Sendable {
    /// Its name, for provenance.
    var name: String
    /// Items in one lease.
    var itemsPerLease: Int
    /// Seconds that a lease lasts without renewal.
    var leaseSeconds: Int
    /// Ends after so long without work; never when nil.
    var idleSeconds: Double?
    /// Ends as soon as there is no work.
    var endsWhenIdle: Bool
  }

  /// How a connection's work ended.
  enum Outcome: Sendable {
    /// There was no work for long enough.
    case idle
    /// The stop signal came.
    case stopped
  }

  /// Triplets on their way at a time.
  private static let maximumOutstanding = 32
  /// Bytes of those.
  private static let maximumOutstandingBytes = 32 << 20
  private static let leaseWaitSeconds = 10.0
  /// How long a wait for the daemon goes on before the stop signal is looked at.
  private static let pollInterval: Duration = .milliseconds(100)
  private static let maximumErrorCharacters = 500

  let client: DaemonClient
  let engine: SceneEngine
  let settings: Settings
  let stop: StopSignal
  /// Triplets that the daemon took.
  private(set) var madeCount = 0
  /// Items that could not be made.
  private(set) var failedCount = 0

  private var outstanding: [(id: RequestID, lease: LeaseReference, bytes: Int)] = []
  private var renewed = ContinuousClock.now

  init(client: DaemonClient, engine: SceneEngine, settings: Settings, stop: StopSignal) {
    self.client = client
    self.engine = engine
    self.settings = settings
    self.stop = stop
  }

  /// Works until there is none, or the stop signal.
  ///
  /// - Throws: ``WireError`` when the daemon goes away or refuses.
  mutating func run() throws(WireError) -> Outcome {
    var idleSince = ContinuousClock.now
    while !stop.isWished {
      let wait = settings.endsWhenIdle ? 0 : Self.leaseWaitSeconds
      let request = try client.send(
        WorkLease.self,
        .init(
          worker: settings.name, engines: [SceneEngine.name], count: settings.itemsPerLease,
          leaseSeconds: settings.leaseSeconds, waitSeconds: min(wait, settings.idleSeconds ?? wait))
      )
      // The daemon commits the last triplets while it looks for the next items.
      try settle(downTo: 0)
      guard let items = try leased(request) else { return .stopped }
      if items.isEmpty {
        let idle = ContinuousClock.now - idleSince
        if settings.endsWhenIdle { return .idle }
        if let limit = settings.idleSeconds, idle >= .seconds(limit) { return .idle }
      } else {
        try work(on: items)
        idleSince = .now
      }
    }
    try settle(downTo: 0)
    return .stopped
  }

  /// The answer to a lease request; nil when the stop signal comes first.
  private func leased(_ request: RequestID) throws(WireError) -> [WorkItem]? {
    let deadline = ContinuousClock.now + .seconds(Self.leaseWaitSeconds + 30)
    while true {
      do throws(WireError) {
        return try client.receive(WorkLease.self, id: request, timeout: Self.pollInterval)
          .result.items
      } catch {
        guard error.code == .timedOut, ContinuousClock.now < deadline else { throw error }
        // A lease that is granted now ends with the connection, which the caller closes.
        if stop.isWished { return nil }
      }
    }
  }

  private mutating func work(on items: [WorkItem]) throws(WireError) {
    renewed = .now
    var remaining = items[...]
    while let item = remaining.first {
      if stop.isWished { return try release(remaining.map(\.lease)) }
      try renew(&remaining)
      guard remaining.first == item else { continue }
      remaining.removeFirst()
      try make(item)
    }
  }

  private mutating func make(_ item: WorkItem) throws(WireError) {
    let scene: Scene
    do throws(GeneratorError) {
      let microseconds = Int64(Date().timeIntervalSince1970 * 1_000_000)
      scene = try engine.scene(
        for: item, worker: settings.name, createdMicroseconds: microseconds)
    } catch {
      failedCount += 1
      let message = String(error.message.prefix(Self.maximumErrorCharacters))
      return try ignoringLostLeases { () throws(WireError) in
        _ = try client.call(WorkFail.self, .init(lease: item.lease, error: message))
      }
    }
    let triplet = scene.triplet
    let body = TripletBody.encode(image: triplet.image, masks: triplet.masks.map(\.mask))
    let room = max(0, Self.maximumOutstandingBytes - body.count)
    try settle(downTo: Self.maximumOutstanding - 1, bytes: room)
    let id = try client.send(
      WorkSubmit.self,
      .init(
        lease: item.lease, prompt: triplet.prompt, masks: triplet.masks.map(\.info),
        provenance: triplet.provenance),
      body: body)
    outstanding.append((id, item.lease, body.count))
  }

  /// Waits for answers, oldest first, until few enough are missing.
  private mutating func settle(
    downTo count: Int, bytes: Int = Self.maximumOutstandingBytes
  ) throws(WireError) {
    while outstanding.count > count
      || outstanding.reduce(0, { $0 + $1.bytes }) > bytes && !outstanding.isEmpty
    {
      let oldest = outstanding.removeFirst()
      try ignoringLostLeases { () throws(WireError) in
        do throws(WireError) {
          _ = try client.receive(WorkSubmit.self, id: oldest.id)
          madeCount += 1
        } catch  where error.word == .storeFull {
          // No fault of the item: it is made when there is room.
          _ = try client.call(WorkRelease.self, .init(leases: [oldest.lease]))
        } catch {
          throw error
        }
      }
    }
  }

  /// Renews all leases when a third of their time is over, and forgets those that are lost.
  private mutating func renew(_ remaining: inout ArraySlice<WorkItem>) throws(WireError) {
    guard ContinuousClock.now - renewed >= .seconds(Double(settings.leaseSeconds) / 3) else {
      return
    }
    let leases = remaining.map(\.lease) + outstanding.map(\.lease)
    let lost = try client.call(
      WorkRenew.self, .init(leases: leases, leaseSeconds: settings.leaseSeconds)
    ).result.lost
    renewed = .now
    remaining.removeAll { lost.contains($0.lease) }
  }

  private mutating func release(_ leases: [LeaseReference]) throws(WireError) {
    try settle(downTo: 0)
    _ = try client.call(WorkRelease.self, .init(leases: leases))
  }

  /// Goes on when the daemon says that the item is no longer this worker's: somebody else has it,
  /// or its job was cancelled.
  private func ignoringLostLeases(_ body: () throws(WireError) -> Void) throws(WireError) {
    do throws(WireError) {
      try body()
    } catch {
      switch error.word {
      case .tokenStale, .itemUnknown, .jobUnknown: return
      default: throw error
      }
    }
  }
}
