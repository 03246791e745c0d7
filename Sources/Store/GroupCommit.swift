import GRDB
import Schema

/// One commit of many changes: blobs, one transaction behind their sync, then memory.
///
/// A change that is refused (a stale token, say) fails alone; a failing disk fails them all, and
/// what was appended for them is forgotten.
struct GroupCommit {
  private let catalog: Catalog
  private let index: StoreIndex
  private let now: Int64
  private let space: StoreSpace
  private let failpoints: Failpoints

  /// Prompts that are not yet in the full text.
  private(set) var promptsWaiting: Int
  /// Set when the disk may hold less than was written to it.
  private(set) var fatal: StoreError?
  /// What has changed, once it has.
  private(set) var change: StoreChange?
  /// Triplets of which what was looked up before no longer holds.
  private(set) var outdated: [TripletID] = []

  init(
    catalog: Catalog, index: StoreIndex, promptsWaiting: Int, space: StoreSpace, now: Int64,
    failpoints: Failpoints
  ) {
    self.promptsWaiting = promptsWaiting
    self.space = space
    self.failpoints = failpoints
    self.catalog = catalog
    self.index = index
    self.now = now
  }

  /// Makes the changes; the result has an error for each that was not made.
  mutating func run(_ writes: [PendingWrite], _ writer: inout PackWriter) -> [StoreError?] {
    var errors = [StoreError?](repeating: nil, count: writes.count)
    guard !writes.isEmpty else { return errors }
    do throws(StoreError) {
      var sequence = index.read { $0.snapshot }
      let blobs = try append(writes, &errors, &sequence, &writer)
      try transact(writes, blobs, &errors, sequence, &writer)
    } catch {
      for position in errors.indices where errors[position] == nil { errors[position] = error }
      // Of a commit whose sync failed nobody knows whether it is there. Both outcomes are made
      // good at open, as long as the blobs stay.
      if error.isUncertain { fatal = error }
      if fatal == nil {
        do throws(StoreError) { try writer.rollBack() } catch { fatal = error }
      }
    }
    return errors
  }

  private mutating func append(
    _ writes: [PendingWrite], _ errors: inout [StoreError?], _ sequence: inout Int64,
    _ writer: inout PackWriter
  ) throws(StoreError) -> [Int: PendingWrite.Written] {
    var blobs: [Int: PendingWrite.Written] = [:]
    let packBytes = index.read { $0.packBytes }
    var appended = 0
    for position in try wanted(writes, &errors) {
      guard let triplet = writes[position].triplet else { continue }
      let bytes = triplet.recordBytes
      let isWork = triplet.provenance.engine != TripletImport.engine
      let refusal = space.refusal(
        adding: appended + bytes, packBytes: packBytes, isWork: isWork)
      if let refusal {
        errors[position] = refusal
        continue
      }
      appended += bytes
      guard sequence < CategoryList.maximumID else {
        throw StoreError(
          .unwritable, "the store has used up its \(CategoryList.maximumID) change numbers")
      }
      sequence += 1
      var places: [BlobPlace] = []
      try failpoints.reach(.appendBefore)
      for record in triplet.records(sequence) {
        places.append(try writer.append(record))
        try failpoints.reach(.appendInside)
      }
      blobs[position] = (sequence, places)
    }
    for position in writes.indices where !writes[position].copies.isEmpty {
      let bytes = writes[position].copies.reduce(0) { $0 + $1.bytes.count }
      if let refusal = space.refusal(copying: bytes) {
        errors[position] = refusal
        continue
      }
      try failpoints.reach(.appendBefore)
      blobs[position] = (0, try append(writes[position].copies, &writer))
    }
    try writer.flush()
    // The disk takes them while the rows are written.
    writer.startSync()
    try failpoints.reach(.appendAfter)
    return blobs
  }

  /// Writes records once more; answers where they lie now.
  private func append(
    _ copies: [RecordCopy], _ writer: inout PackWriter
  ) throws(StoreError) -> [BlobPlace] {
    var places: [BlobPlace] = []
    for copy in copies {
      var place = copy.place
      place.offset = try writer.append(copy.bytes)
      place.pack = writer.number
      places.append(place)
      try failpoints.reach(.appendInside)
    }
    return places
  }

  /// The positions of the triplets whose blobs are to be written.
  private func wanted(
    _ writes: [PendingWrite], _ errors: inout [StoreError?]
  ) throws(StoreError) -> [Int] {
    let positions = writes.indices.filter { writes[$0].triplet != nil }
    guard !positions.isEmpty else { return [] }
    var refusals: [Int: StoreError] = [:]
    let wanted = try catalog.read("checking submissions") { db in
      positions.filter { position in
        do {
          return try writes[position].isWanted(db)
        } catch {
          refusals[position] = StoreError.database(error, "checking a submission")
          return false
        }
      }
    }
    for (position, error) in refusals { errors[position] = error }
    return wanted
  }

  private mutating func transact(
    _ writes: [PendingWrite], _ blobs: [Int: PendingWrite.Written],
    _ errors: inout [StoreError?], _ sequence: Int64, _ writer: inout PackWriter
  ) throws(StoreError) {
    let fresh = CommitContext(
      categoryRows: index.read { $0.rows }, sequence: sequence, now: now)
    var context = fresh
    var jobs: [JobInfo] = []
    var targets: [(Int64, CategoryName, Int)] = []
    let refused = errors
    let before = index.read { $0.snapshot }
    let (pack, packBytes, isSealed) = (writer.number, writer.endBytes, writer.isSealed)
    var (made, indexed) = (errors, promptsWaiting)
    // Hardly ever a change is refused: first without a savepoint for each, which costs about as much
    // as the change, and if one is refused all over again with them.
    var isEachAlone = false
    try failpoints.reach(.transactionBefore)
    func transaction(_ db: Database) throws {
      (context, made) = (fresh, refused)
      try db.inTransaction(.immediate) {
        for (position, write) in writes.enumerated() where refused[position] == nil {
          guard !isEachAlone else {
            made[position] = try attempt(db, write, blobs[position], &context)
            continue
          }
          do {
            try write.apply(db, blobs[position], &context)
          } catch {
            isEachAlone = true
            return .rollback
          }
        }
        indexed = try PromptIndex.follow(db, context, waiting: promptsWaiting)
        if !blobs.isEmpty { try rememberPack(db, pack, packBytes, isSealed) }
        try rememberLiveBytes(db, context)
        if context.sequence != before {
          try db.cachedStatement(sql: "UPDATE store SET last_sequence = ?")
            .execute(arguments: [context.sequence])
        }
        jobs = try changedJobs(db, context)
        targets = try changedTargets(db, context)
        // No row may outlive a power loss that its blobs do not.
        do throws(StoreError) {
          try appended.sync()
        } catch {
          // After a failed sync the kernel may drop the pages and report success the next time.
          failedSync = error
          throw error
        }
        try failpoints.reach(.transactionInside)
        return .commit
      }
    }
    let appended = writer
    var failedSync: StoreError?
    defer { if let failedSync { fatal = failedSync } }
    try onDatabase("committing") {
      try catalog.queue.writeWithoutTransaction { db in
        try transaction(db)
        if isEachAlone { try transaction(db) }
      }
    }
    try failpoints.reach(.transactionAfter)
    (errors, promptsWaiting) = (made, indexed)
    outdated = context.quarantined.map(\.triplet) + context.moved + context.forgotten
    writer.commit()
    let written = blobs.isEmpty ? nil : (pack, packBytes)
    index.update { $0.follow(context, jobs, targets, written: written) }
    guard !context.isEmpty else { return }
    change = StoreChange(
      jobs: context.jobs, addedTriplets: context.added.count,
      quarantinedTriplets: context.quarantined.count, deletedTriplets: context.deleted.count,
      expiredLeases: context.expiredLeases)
  }

  /// Tries one change; a refusal undoes it alone, a failing database throws.
  private func attempt(
    _ db: Database, _ write: PendingWrite, _ blobs: PendingWrite.Written?,
    _ context: inout CommitContext
  ) throws -> StoreError? {
    let before = context
    do {
      try db.inSavepoint {
        try write.apply(db, blobs, &context)
        return .commit
      }
      return nil
    } catch {
      let sequence = context.sequence
      context = before
      // A number that was given out is not used again.
      context.sequence = sequence
      let failure = StoreError.database(error, "a change")
      guard ![.unwritable, .full, .catalogDamaged].contains(failure.code) else { throw failure }
      return failure
    }
  }

  private func rememberPack(
    _ db: Database, _ pack: Int, _ bytes: Int, _ isSealed: Bool
  ) throws {
    try db.cachedStatement(
      sql: "UPDATE pack SET committed_bytes = ?, is_sealed = ? WHERE id = ?"
    ).execute(arguments: [bytes, isSealed, pack])
  }

  private func rememberLiveBytes(_ db: Database, _ context: CommitContext) throws {
    for (pack, change) in context.liveBytes where change != 0 {
      // A damaged number must not keep what is damaged from being deleted.
      try db.cachedStatement(
        sql: "UPDATE pack SET live_bytes = max(live_bytes + ?, 0) WHERE id = ?"
      ).execute(arguments: [change, pack])
    }
  }

  private func changedJobs(_ db: Database, _ context: CommitContext) throws -> [JobInfo] {
    guard !context.jobs.isEmpty else { return [] }
    return try WorkQueue.jobs(
      db, JobList.Params(jobs: context.jobs.sorted()), limit: context.jobs.count)
  }

  private func changedTargets(
    _ db: Database, _ context: CommitContext
  ) throws -> [(Int64, CategoryName, Int)] {
    try context.categories.sorted().compactMap { row in
      try Row.fetchOne(db, sql: "SELECT name, target FROM category WHERE id = ?", arguments: [row])
        .map { (row, try CategoryName(try $0.get("name") as String), try $0.get("target")) }
    }
  }
}
