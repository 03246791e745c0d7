import GRDB
import Schema

extension WorkQueue {
  /// What a backfill asks for, with the daemon's defaults filled in.
  struct Order {
    let goals: [Backfill.Goal]
    let engine: String
    let imageSize: Int
    let priority: Int
    let seed: Int64
    let companions: Bool
  }

  /// Companions that a job remembers at most.
  static let maximumCompanions = 256

  /// Raises targets, and makes jobs for what neither stock nor work under way covers.
  static func backfill(
    _ db: Database, _ order: Order, _ context: inout CommitContext
  ) throws -> [Backfill.Outcome] {
    for goal in order.goals {
      let row = try categoryRow(db, goal.category, &context)
      context.categories.insert(row)
      try db.execute(
        sql: "UPDATE category SET target = max(target, ?) WHERE id = ?",
        arguments: [goal.target, row])
    }
    // After all targets are raised, so that the order of the goals does not matter.
    let known = order.companions ? try knownCategories(db) : []
    return try order.goals.enumerated().map { index, goal in
      try outcome(db, order, goal, index, known, &context)
    }
  }

  private static func outcome(
    _ db: Database, _ order: Order, _ goal: Backfill.Goal, _ index: Int, _ known: [Companion],
    _ context: inout CommitContext
  ) throws -> Backfill.Outcome {
    let row = try categoryRow(db, goal.category, &context)
    let stock =
      try Int.fetchOne(db, sql: "SELECT stock FROM category WHERE id = ?", arguments: [row]) ?? 0
    let active = try Row.fetchAll(
      db,
      sql: """
        SELECT id, item_count - done_count - parked_count AS open FROM job
        WHERE category = ? AND state = 'active' ORDER BY id
        """, arguments: [row])
    var jobs = try active.map { try $0.get("id") as Int64 }
    let missing = try active.reduce(goal.target - stock) { try $0 - ($1.get("open") as Int) }
    func outcome(_ text: String) -> Backfill.Outcome {
      Backfill.Outcome(
        category: goal.category, outcome: text, jobs: jobs, stock: stock, target: goal.target)
    }
    if stock >= goal.target {
      jobs = []
      return outcome("satisfied")
    }
    for job in jobs {
      context.jobs.insert(job)
      try db.execute(
        sql: "UPDATE job SET priority = max(priority, ?) WHERE id = ?",
        arguments: [order.priority, job])
    }
    guard missing > 0 else { return outcome("joined") }
    let companions = try JSONText.encode(known.filter { $0.category != goal.category })
    let seed = itemSeed(job: order.seed, ordinal: index)
    try db.execute(
      sql: """
        INSERT INTO job (category, target, engine, image_size, companions, seed, priority,
          item_count, created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        row, goal.target, order.engine, order.imageSize,
        String(decoding: companions, as: UTF8.self),
        seed, order.priority, missing, context.now,
      ])
    jobs.append(db.lastInsertedRowID)
    context.jobs.insert(db.lastInsertedRowID)
    return outcome("created")
  }

  /// Categories with a target, the largest first; a companion is drawn by its target, so that
  /// company does not even out a distribution that somebody asked for.
  private static func knownCategories(_ db: Database) throws -> [Companion] {
    try Row.fetchAll(
      db,
      sql: "SELECT name, target FROM category WHERE target > 0 ORDER BY target DESC, name LIMIT ?",
      arguments: [maximumCompanions + 1]
    ).map {
      Companion(
        category: try CategoryName(try $0.get("name") as String), weight: try $0.get("target"))
    }
  }

  /// Cancels a job and takes back the target that only it stood for; one that is finished stays
  /// as it is.
  static func cancel(_ db: Database, _ job: Int64, _ context: inout CommitContext) throws {
    guard try Bool.fetchOne(db, sql: "SELECT 1 FROM job WHERE id = ?", arguments: [job]) != nil
    else { throw StoreError(.jobUnknown, "no job \(job); 'groundwell jobs' lists them") }
    try db.execute(
      sql: """
        UPDATE job SET state = 'cancelled', finished_us = ? WHERE id = ? AND state = 'active'
        """, arguments: [context.now, job])
    guard db.changesCount == 1 else { return }
    context.jobs.insert(job)
    try db.execute(
      sql: """
        UPDATE work_item SET state = 'pending', lease_expires_us = NULL
        WHERE job = ? AND state = 'leased'
        """, arguments: [job])
    let row = try Int64.fetchOne(
      db, sql: "SELECT category FROM job WHERE id = ?", arguments: [job])
    try db.execute(
      sql: """
        UPDATE category SET target = min(target, max(stock, coalesce((SELECT max(target) FROM job
          WHERE job.category = category.id AND state <> 'cancelled'), 0))) WHERE id = ?
        """, arguments: [row])
    if let row { context.categories.insert(row) }
  }

  /// Jobs, newest first.
  static func jobs(_ db: Database, _ request: JobList.Params, limit: Int) throws -> [JobInfo] {
    var conditions = ["1"]
    var arguments: [(any DatabaseValueConvertible)?] = []
    if let jobs = request.jobs {
      conditions.append("job.id IN (\(jobs.map { "\($0)" }.joined(separator: ",")))")
    }
    if let state = request.state {
      conditions.append("state = ?")
      arguments.append(state.rawValue)
    }
    arguments.append(limit)
    let select = try db.makeStatement(
      sql: """
        SELECT job.*, category.name,
          (SELECT count(*) FROM work_item
            WHERE work_item.job = job.id AND work_item.state = 'leased') AS leased
        FROM job JOIN category ON category.id = job.category
        WHERE \(conditions.joined(separator: " AND ")) ORDER BY job.id DESC LIMIT ?
        """)
    return try Row.fetchAll(select.bound(arguments)).map(jobInfo)
  }

  private static func jobInfo(_ row: Row) throws -> JobInfo {
    let text: String = try row.get("state")
    guard let state = JobState(rawValue: text) else {
      throw StoreError(.catalogDamaged, "catalog: unknown job state '\(text.prefix(32))'")
    }
    return try JobInfo(
      job: row.get("id"), category: try CategoryName(row.get("name") as String),
      target: row.get("target"),
      engine: row.get("engine"), imageSize: row.get("image_size"), priority: row.get("priority"),
      state: state, items: row.get("item_count"), done: row.get("done_count"),
      parked: row.get("parked_count"), leased: row.get("leased"),
      createdMicroseconds: row.get("created_us"),
      finishedMicroseconds: row.get("finished_us"), lastError: row.get("last_error"))
  }
}
