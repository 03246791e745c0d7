import GRDB
public import Schema

extension TripletStore {
  /// Raises targets and makes the jobs that lead there; see ``Schema/Backfill``.
  public func backfill(
    _ goals: [Backfill.Goal], engine: String, imageSize: Int, priority: Int, seed: Int64,
    companions: Bool
  ) async throws(StoreError) -> [Backfill.Outcome] {
    let order = WorkQueue.Order(
      goals: goals, engine: engine, imageSize: imageSize, priority: priority, seed: seed,
      companions: companions)
    return try await write { db, _, context in try WorkQueue.backfill(db, order, &context) }
  }

  /// Jobs, newest first.
  ///
  /// - Throws: ``StoreError/Code/jobUnknown`` for one asked for by number that does not exist.
  public func jobs(_ request: JobList.Params) throws(StoreError) -> [JobInfo] {
    let limit = request.limit ?? max(100, request.jobs?.count ?? 0)
    let jobs = try read("listing jobs") { db in
      try WorkQueue.jobs(db, request, limit: limit)
    }
    if let asked = request.jobs, request.state == nil, jobs.count < Set(asked).count {
      let found = Set(jobs.map(\.job))
      let missing = asked.first { !found.contains($0) } ?? 0
      throw StoreError(.jobUnknown, "no job \(missing); 'groundwell jobs' lists them")
    }
    return jobs
  }

  /// Cancels jobs; those that are finished stay as they are.
  ///
  /// - Throws: ``StoreError/Code/jobUnknown``; then none is cancelled.
  public func cancel(_ jobs: [Int64]) async throws(StoreError) -> [JobInfo] {
    try await write { db, _, context in
      for job in jobs { try WorkQueue.cancel(db, job, &context) }
    }
    return try self.jobs(JobList.Params(jobs: jobs))
  }

  /// Hands out items; none when there are none.
  public func lease(_ request: WorkLease.Params) async throws(StoreError) -> [WorkItem] {
    try await write { db, _, context in
      _ = try WorkQueue.expire(db, &context)
      return try WorkQueue.lease(db, request, &context)
    }
  }

  /// Puts leases back that ran out; cheap when none did.
  public func expireLeases() async throws(StoreError) {
    let now = now()
    let isDue = try read("looking for old leases") { db in
      try Bool.fetchOne(
        db, sql: "SELECT 1 FROM work_item WHERE state = 'leased' AND lease_expires_us <= ?",
        arguments: [now]) ?? false
    }
    guard isDue else { return }
    _ = try await write { db, _, context in try WorkQueue.expire(db, &context) }
  }

  /// Makes leases last longer; answers those that are no longer the caller's.
  public func renew(
    _ leases: [LeaseReference], seconds: Int
  ) async throws(StoreError) -> [LeaseReference] {
    try await write { db, _, context in
      try leases.filter { try !WorkQueue.renew(db, $0, seconds: seconds, context) }
    }
  }

  /// Puts leases back; `isLost` counts against the item, as after a worker that vanished.
  public func release(_ leases: [LeaseReference], isLost: Bool) async throws(StoreError) {
    try await write { db, _, context in
      for lease in leases { try WorkQueue.putBack(db, lease, isLost: isLost, &context) }
    }
  }

  /// Takes a triplet for an item; returns when it is durable.
  ///
  /// - Throws: ``StoreError/Code/itemUnknown``, ``StoreError/Code/tokenStale``,
  ///   ``StoreError/Code/invalidArgument`` when the triplet is not what the item asks for,
  ///   ``StoreError/Code/unwritable``.
  public func submit(
    _ lease: LeaseReference, _ triplet: EncodedTriplet
  ) async throws(StoreError) -> WorkSubmit.Result {
    try await write(
      triplet, isWanted: { db in try WorkQueue.isWanted(db, lease, triplet) }
    ) { db, blobs, context in
      // Asked again: another submission of the same item may stand before this one.
      let (submission, _, _, _) = try WorkQueue.submissionState(db, lease)
      if case .duplicate(let triplet) = submission {
        return WorkSubmit.Result(triplet: triplet, duplicate: true)
      }
      guard let blobs else {
        throw StoreError(.itemUnknown, "item \(lease.ordinal) of job \(lease.job) changed; retry")
      }
      try insertTriplet(db, blobs.id, triplet, blobs.places, &context)
      try WorkQueue.finish(db, lease, triplet: blobs.id, &context)
      return WorkSubmit.Result(triplet: blobs.id, duplicate: false)
    }
  }

  /// Counts a failure of an item.
  ///
  /// - Throws: ``StoreError/Code/itemUnknown``, ``StoreError/Code/tokenStale``.
  public func fail(
    _ lease: LeaseReference, error: String
  ) async throws(StoreError) -> WorkFail.Result {
    try await write { db, _, context in try WorkQueue.fail(db, lease, error: error, &context) }
  }
}

extension WorkQueue {
  /// Whether a submission's blobs are to be written: the lease holds and the triplet fits.
  static func isWanted(
    _ db: Database, _ lease: LeaseReference, _ triplet: EncodedTriplet
  ) throws -> Bool {
    let (submission, category, imageSize, engine) = try submissionState(db, lease)
    guard case .add = submission else { return false }
    let name = "item \(lease.ordinal) of job \(lease.job)"
    guard triplet.width == imageSize, triplet.height == imageSize else {
      throw StoreError(
        .invalidArgument,
        "\(name) wants an image of \(imageSize)x\(imageSize), not "
          + "\(triplet.width)x\(triplet.height)")
    }
    guard triplet.masks.contains(where: { $0.category == category }) else {
      throw StoreError(
        .invalidArgument, "\(name) is for '\(category)', and no mask of the triplet shows it")
    }
    guard triplet.provenance.engine == engine else {
      throw StoreError(
        .invalidArgument,
        "\(name) is for engine '\(engine)', not '\(triplet.provenance.engine)'")
    }
    return true
  }
}
