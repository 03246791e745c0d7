import GRDB
public import Schema
import Synchronization

extension TripletStore {
  /// Adds triplets that were made elsewhere, in one commit; returns when all are durable.
  ///
  /// An item that the store has already is not written again. The ids of those that are new rise
  /// in the order of `items`.
  ///
  /// - Throws: ``StoreError/Code/unwritable``, ``StoreError/Code/invalidArgument``.
  public nonisolated(nonsending) func importItems(
    _ items: [(name: String, triplet: EncodedTriplet)], source: String
  ) async throws(StoreError) -> [TripletImport.Outcome] {
    let outcome: Result<[TripletImport.Outcome], StoreError> = await withCheckedContinuation {
      continuation in
      let together = ImportTogether(count: items.count) { continuation.resume(returning: $0) }
      submit(
        items.enumerated().map { position, item in
          PendingWrite(
            triplet: item.triplet, copies: [],
            isWanted: { db in try importedTriplet(db, source, item.name) == nil },
            apply: { db, blobs, context in
              together.set(
                position,
                try applyImport(db, source, item.name, item.triplet, blobs, &context))
            },
            finish: { error in together.finish(error) })
        })
    }
    return try outcome.get()
  }

  /// Which items of a source the store has, in the order asked for.
  public func imported(
    _ items: [String], source: String
  ) throws(StoreError) -> [ImportList.Known] {
    try read("looking for imported items") { db in
      try items.compactMap { item in
        try importedTriplet(db, source, item).map { ImportList.Known(item: item, triplet: $0) }
      }
    }
  }
}

/// The live triplet that an item became; nil when there is none.
private func importedTriplet(
  _ db: Database, _ source: String, _ item: String
) throws -> TripletID? {
  let select = try db.cachedStatement(
    sql: """
      SELECT triplet FROM import_item JOIN triplet ON triplet.id = import_item.triplet
      WHERE source = ? AND item = ? AND deleted_sequence IS NULL AND quarantined_sequence IS NULL
      """)
  return try TripletID.fetchOne(select.bound([source, item]))
}

private func applyImport(
  _ db: Database, _ source: String, _ item: String, _ triplet: EncodedTriplet,
  _ blobs: PendingWrite.Written?, _ context: inout CommitContext
) throws -> TripletImport.Outcome {
  // The same item may stand before this one in the same commit.
  let key = CommitContext.ImportKey(source: source, item: item)
  if let known = context.imported[key] {
    return TripletImport.Outcome(triplet: known, duplicate: true)
  }
  guard let blobs else {
    if let known = try importedTriplet(db, source, item) {
      return TripletImport.Outcome(triplet: known, duplicate: true)
    }
    throw StoreError(
      .unwritable, "item '\(item)' of '\(source)' was removed while it was imported; ask again")
  }
  try insertTriplet(db, blobs.id, triplet, blobs.places, &context)
  try db.cachedStatement(
    sql: """
      INSERT INTO import_item (source, item, triplet) VALUES (?, ?, ?)
      ON CONFLICT (source, item) DO UPDATE SET triplet = excluded.triplet
      """
  ).execute(arguments: [source, item, blobs.id])
  context.imported[key] = blobs.id
  return TripletImport.Outcome(triplet: blobs.id, duplicate: false)
}

/// Gathers what becomes of several changes and reports once, when the last is finished.
private final class ImportTogether: Sendable {
  private struct State {
    var outcomes: [TripletImport.Outcome?]
    var left: Int
    var error: StoreError?
  }

  private let state: Mutex<State>
  private let report: @Sendable (Result<[TripletImport.Outcome], StoreError>) -> Void

  init(
    count: Int, _ report: @escaping @Sendable (Result<[TripletImport.Outcome], StoreError>) -> Void
  ) {
    state = Mutex(State(outcomes: Array(repeating: nil, count: count), left: count, error: nil))
    self.report = report
  }

  func set(_ position: Int, _ outcome: TripletImport.Outcome) {
    state.withLock { $0.outcomes[position] = outcome }
  }

  func finish(_ error: StoreError?) {
    let result: Result<[TripletImport.Outcome], StoreError>? = state.withLock { state in
      state.left -= 1
      if state.error == nil { state.error = error }
      guard state.left == 0 else { return nil }
      if let error = state.error { return .failure(error) }
      return .success(state.outcomes.compactMap { $0 })
    }
    if let result { report(result) }
  }
}
