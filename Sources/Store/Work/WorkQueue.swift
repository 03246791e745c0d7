import Foundation
import GRDB
import Schema

/// The work queue's rules, each a piece of a transaction.
///
/// An item has a row from its first lease on. A lease carries a fencing token that rises with
/// every lease of the item; ``submissionState(_:_:)`` checks it in the transaction that adds the
/// triplet, so a worker that was thought dead cannot overwrite its successor's work.
enum WorkQueue {
  /// Items that one job gives at once before the next job has its turn.
  static let fairShareItems = 8
  /// Characters of an error that are kept.
  static let maximumErrorCharacters = 300

  /// Hands out up to `count` items: by priority, then to the job that has waited longest.
  static func lease(
    _ db: Database, _ request: WorkLease.Params, _ context: inout CommitContext
  ) throws -> [WorkItem] {
    let expires = context.now + Int64(request.leaseSeconds ?? 30) * 1_000_000
    let marks = request.engines.map { _ in "?" }.joined(separator: ",")
    var items: [WorkItem] = []
    while items.count < request.count {
      let select = try db.makeStatement(
        sql: """
          SELECT job.*, category.name FROM job JOIN category ON category.id = job.category
          WHERE state = 'active' AND engine IN (\(marks)) AND (next_ordinal < item_count
            OR EXISTS (SELECT 1 FROM work_item WHERE job = job.id AND work_item.state = 'pending'))
          ORDER BY priority DESC, last_served, job.id LIMIT 1
          """)
      guard let row = try Row.fetchOne(select.bound(request.engines)) else { break }
      let share = min(fairShareItems, request.count - items.count)
      let ordinals = try take(db, row, share, worker: request.worker, expires: expires)
      try db.execute(
        sql: """
          UPDATE job SET last_served = (SELECT max(last_served) + 1 FROM job) WHERE id = ?
          """, arguments: [try row.get("id") as Int64])
      context.jobs.insert(try row.get("id"))
      for (ordinal, token, attempts) in ordinals {
        items.append(
          try workItem(row, ordinal: ordinal, token: token, attempts: attempts, expires: expires))
      }
    }
    return items
  }

  private static func take(
    _ db: Database, _ job: Row, _ count: Int, worker: String, expires: Int64
  ) throws -> [(ordinal: Int, token: Int64, attempts: Int)] {
    let id: Int64 = try job.get("id")
    var taken: [(ordinal: Int, token: Int64, attempts: Int)] = []
    let pending = try Row.fetchAll(
      db,
      sql: """
        SELECT ordinal, token, attempts FROM work_item WHERE job = ? AND state = 'pending'
        ORDER BY ordinal LIMIT ?
        """, arguments: [id, count])
    for row in pending {
      taken.append(
        (try row.get("ordinal"), (try row.get("token") as Int64) &+ 1, try row.get("attempts")))
      try db.execute(
        sql: """
          UPDATE work_item SET state = 'leased', token = token + 1, worker = ?,
            lease_expires_us = ? WHERE job = ? AND ordinal = ?
          """, arguments: [worker, expires, id, try row.get("ordinal") as Int])
    }
    let (first, itemCount): (Int, Int) = (try job.get("next_ordinal"), try job.get("item_count"))
    let end = min(first &+ count - taken.count, itemCount)
    for ordinal in first..<max(first, end) {
      taken.append((ordinal, 1, 0))
      try db.cachedStatement(
        sql: """
          INSERT INTO work_item (job, ordinal, state, token, worker, lease_expires_us)
          VALUES (?, ?, 'leased', 1, ?, ?)
          """
      ).execute(arguments: [id, ordinal, worker, expires])
    }
    try db.execute(
      sql: "UPDATE job SET next_ordinal = ? WHERE id = ?", arguments: [max(first, end), id])
    return taken
  }

  private static func workItem(
    _ job: Row, ordinal: Int, token: Int64, attempts: Int, expires: Int64
  ) throws -> WorkItem {
    let companions = try JSONText.decode(
      [Companion].self, from: Array((try job.get("companions") as String).utf8))
    return try WorkItem(
      job: job.get("id"), ordinal: ordinal, token: token,
      category: try CategoryName(job.get("name") as String), engine: job.get("engine"),
      imageSize: job.get("image_size"), seed: itemSeed(job: job.get("seed"), ordinal: ordinal),
      companions: companions, attempts: attempts, expiresMicroseconds: expires)
  }

  /// The seed of one item, 0 to 2^53 - 1, from its job's.
  static func itemSeed(job seed: Int64, ordinal: Int) -> Int64 {
    let mixed = mix64(mix64(UInt64(bitPattern: seed)) &+ UInt64(ordinal))
    return Int64(mixed >> 11)
  }

  /// Puts leases that ran out back; true when there were any.
  static func expire(_ db: Database, _ context: inout CommitContext) throws -> Bool {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT job, ordinal, token FROM work_item
        WHERE state = 'leased' AND lease_expires_us <= ?
        """, arguments: [context.now])
    for row in rows {
      try putBack(
        db,
        LeaseReference(
          job: try row.get("job"), ordinal: try row.get("ordinal"), token: try row.get("token")),
        isLost: true, &context)
    }
    context.expiredLeases += rows.count
    return !rows.isEmpty
  }

  /// Puts one lease back, unless it is no longer the newest.
  static func putBack(
    _ db: Database, _ lease: LeaseReference, isLost: Bool, _ context: inout CommitContext
  ) throws {
    try db.execute(
      sql: """
        UPDATE work_item SET state = 'pending', lease_expires_us = NULL,
          lost_leases = lost_leases + ?
        WHERE job = ? AND ordinal = ? AND token = ? AND state = 'leased'
        """, arguments: [isLost ? 1 : 0, lease.job, lease.ordinal, lease.token])
    guard db.changesCount == 1 else { return }
    context.jobs.insert(lease.job)
    guard isLost else { return }
    let limit = Limits.standard.maximumLostLeases
    try db.execute(
      sql: """
        UPDATE work_item SET state = 'parked', last_error = ?
        WHERE job = ? AND ordinal = ? AND lost_leases >= ? AND state = 'pending'
        """,
      arguments: [
        "its worker vanished \(limit) times", lease.job, lease.ordinal, limit,
      ])
    if db.changesCount == 1 {
      try countFinished(
        db, lease.job, done: 0, parked: 1,
        error: "item \(lease.ordinal): its worker vanished \(limit) times", &context)
    }
  }

  /// Makes a lease last longer; false when it is no longer the newest.
  static func renew(
    _ db: Database, _ lease: LeaseReference, seconds: Int, _ context: inout CommitContext
  ) throws -> Bool {
    try db.execute(
      sql: """
        UPDATE work_item SET state = 'leased', lease_expires_us = ?
        WHERE job = ? AND ordinal = ? AND token = ? AND state IN ('leased', 'pending')
          AND (SELECT state FROM job WHERE id = work_item.job) = 'active'
        """,
      arguments: [
        context.now + Int64(seconds) * 1_000_000, lease.job, lease.ordinal, lease.token,
      ])
    guard db.changesCount == 1 else { return false }
    // An expired item that nobody has taken is leased again.
    context.jobs.insert(lease.job)
    return true
  }

  /// What a submission may do.
  enum Submission {
    /// Add the triplet.
    case add
    /// Nothing: the item became this triplet before.
    case duplicate(TripletID)
  }

  /// Checks that a lease may still hand in its item.
  ///
  /// A lease that ran out may, as long as nobody else has taken the item.
  static func submissionState(
    _ db: Database, _ lease: LeaseReference
  ) throws -> (Submission, category: CategoryName, imageSize: Int, engine: String) {
    let row = try Row.fetchOne(
      try db.cachedStatement(
        sql: """
          SELECT work_item.state AS item_state, token, triplet, job.state AS job_state,
            image_size, engine, name
          FROM work_item JOIN job ON job.id = work_item.job
            JOIN category ON category.id = job.category
          WHERE job = ? AND ordinal = ?
          """), arguments: [lease.job, lease.ordinal])
    guard let row else {
      throw StoreError(
        .itemUnknown, "job \(lease.job) has no item \(lease.ordinal) that was leased")
    }
    let state: String = try row.get("item_state")
    let facts = (
      category: try CategoryName(try row.get("name") as String),
      imageSize: try row.get("image_size") as Int, engine: try row.get("engine") as String
    )
    if state == "done", let triplet = try row.get("triplet") as TripletID? {
      return (.duplicate(triplet), facts.category, facts.imageSize, facts.engine)
    }
    let job: String = try row.get("job_state")
    guard job == "active" else {
      throw StoreError(.tokenStale, "job \(lease.job) is \(job); its items are no longer taken")
    }
    let token: Int64 = try row.get("token")
    guard token == lease.token, state == "leased" || state == "pending" else {
      throw StoreError(
        .tokenStale,
        "item \(lease.ordinal) of job \(lease.job) is \(state) under token \(token), "
          + "not \(lease.token); drop the work and lease again")
    }
    return (.add, facts.category, facts.imageSize, facts.engine)
  }

  /// Marks an item as done.
  static func finish(
    _ db: Database, _ lease: LeaseReference, triplet: TripletID, _ context: inout CommitContext
  ) throws {
    try db.cachedStatement(
      sql: """
        UPDATE work_item SET state = 'done', triplet = ?, lease_expires_us = NULL
        WHERE job = ? AND ordinal = ?
        """
    ).execute(arguments: [triplet, lease.job, lease.ordinal])
    try countFinished(db, lease.job, done: 1, parked: 0, error: nil, &context)
  }

  /// Counts a failure; parks the item at the third.
  ///
  /// The lease ends with it, so that a report sent twice counts once.
  static func fail(
    _ db: Database, _ lease: LeaseReference, error: String, _ context: inout CommitContext
  ) throws -> WorkFail.Result {
    let error = String(error.prefix(maximumErrorCharacters))
    guard case (.add, _, _, _) = try submissionState(db, lease) else {
      throw StoreError(
        .tokenStale, "item \(lease.ordinal) of job \(lease.job) is done; it cannot fail any more")
    }
    let attempts = try Int.fetchOne(
      db,
      sql: """
        UPDATE work_item SET attempts = attempts + 1, token = token + 1,
          lease_expires_us = NULL, last_error = ?,
          state = iif(attempts + 1 >= ?, 'parked', 'pending')
        WHERE job = ? AND ordinal = ? RETURNING attempts
        """,
      arguments: [error, Limits.standard.maximumAttempts, lease.job, lease.ordinal])
    let count = attempts ?? 0
    let isParked = count >= Limits.standard.maximumAttempts
    try countFinished(
      db, lease.job, done: 0, parked: isParked ? 1 : 0,
      error: "item \(lease.ordinal): \(error)", &context)
    return WorkFail.Result(parked: isParked, attempts: count)
  }

  /// Counts items as finished, and the job with its last one.
  private static func countFinished(
    _ db: Database, _ job: Int64, done: Int, parked: Int, error: String?,
    _ context: inout CommitContext
  ) throws {
    context.jobs.insert(job)
    try db.cachedStatement(
      sql: """
        UPDATE job SET done_count = done_count + ?1, parked_count = parked_count + ?2,
          last_error = coalesce(?3, last_error) WHERE id = ?4
        """
    ).execute(arguments: [done, parked, error, job])
    try db.cachedStatement(
      sql: """
        UPDATE job SET state = iif(parked_count > 0, 'failed', 'done'), finished_us = ?
        WHERE id = ? AND state = 'active' AND done_count + parked_count = item_count
        """
    ).execute(arguments: [context.now, job])
  }
}
