public import Schema

/// What `status` tells of a store.
public struct StoreSummary: Sendable {
  /// The last change-sequence number.
  public let snapshot: Int64
  /// Live triplets.
  public let triplets: Int
  /// Triplets set aside.
  public let quarantined: Int
  /// Categories known.
  public let categories: Int
  /// Bytes of all packs.
  public let packBytes: Int
  /// Those of them that compaction can give back.
  public let deadBytes: Int
  /// Deleted triplets that compaction has not forgotten yet.
  public let deleted: Int
  /// Jobs that are not finished.
  public let activeJobs: [JobInfo]
}

extension TripletStore {
  /// The figures of the store, from memory.
  public nonisolated var summary: StoreSummary {
    index.read { state in
      StoreSummary(
        snapshot: state.snapshot, triplets: state.tripletCount,
        quarantined: state.quarantinedCount, categories: state.entries.count,
        packBytes: state.packBytes, deadBytes: state.deadBytes, deleted: state.deletedCount,
        activeJobs: state.jobs.values.sorted { $0.job < $1.job })
    }
  }

  /// Rises with every change: counts that were read at one value hold until it rises.
  public nonisolated var generation: Int { index.generation }

  /// The version of the catalog that this code writes.
  public nonisolated var catalogVersion: Int { Catalog.version }

  /// Counts of categories, from memory, by name.
  ///
  /// - Throws: ``StoreError/Code/categoryUnknown`` naming the first that the store does not know.
  public nonisolated func counts(
    _ categories: [CategoryName]? = nil, minimum: Int = 0
  ) throws(StoreError) -> Counts.Result {
    let state = index.read { $0 }
    var pending: [CategoryName: Int] = [:]
    for job in state.jobs.values {
      pending[job.category, default: 0] += job.items - job.done - job.parked
    }
    var entries = state.entries.values.filter { entry in
      // A slip of the pen that was cancelled is not worth a row.
      entry.list.count > 0 || entry.target > 0 || pending[entry.name] != nil
    }
    if let categories {
      entries = []
      for name in categories {
        guard let row = state.rows[name], let entry = state.entries[row] else {
          throw Self.unknown(name)
        }
        entries.append(entry)
      }
    }
    let counts = entries.map { entry in
      let stock = entry.list.count(upTo: state.snapshot)
      return CategoryCount(
        category: entry.name, stock: stock, instances: entry.instances, target: entry.target,
        pending: pending[entry.name] ?? 0,
        shortfall: max(0, max(entry.target, minimum) - stock))
    }
    return Counts.Result(
      snapshot: state.snapshot, triplets: state.tripletCount,
      categories: counts.sorted { $0.category < $1.category })
  }

  /// Reads one triplet with everything it has, its bytes checked.
  ///
  /// - Throws: ``StoreError/Code/tripletUnknown``; ``StoreError/Code/corrupt`` after setting a
  ///   triplet aside whose bytes are not what was written.
  public nonisolated func triplet(
    _ id: TripletID
  ) async throws(StoreError) -> (info: TripletInfo, image: RGBImage, masks: [BinaryMask]) {
    guard let first = try await triplets([id]).first else { throw Self.noTriplet(id) }
    return first
  }

  /// Reads several triplets, in the order asked for; see ``triplet(_:)``.
  public nonisolated func triplets(
    _ ids: [TripletID]
  ) async throws(StoreError) -> [(info: TripletInfo, image: RGBImage, masks: [BinaryMask])] {
    let stored = try await stored(ids)
    var triplets: [(info: TripletInfo, image: RGBImage, masks: [BinaryMask])] = []
    triplets.reserveCapacity(ids.count)
    for triplet in stored { triplets.append(try await decodeWhereItLies(triplet)) }
    return triplets
  }

  /// Decodes a triplet, which compaction may move meanwhile.
  private nonisolated func decodeWhereItLies(
    _ triplet: StoredTriplet
  ) async throws(StoreError) -> (info: TripletInfo, image: RGBImage, masks: [BinaryMask]) {
    var triplet = triplet
    var moves = 0
    while true {
      do throws(StoreError) {
        return try decode(triplet)
      } catch {
        if error.code == .moved, moves < Self.maximumMoves {
          moves += 1
          guard let again = try await stored([triplet.row.id]).first else { throw error }
          triplet = again
          continue
        }
        guard error.code == .corrupt, !triplet.isQuarantined else { throw error }
        await setAside(triplet.row.id, reason: error.message)
        throw error
      }
    }
  }

  /// How often one read follows a triplet that compaction moves.
  public static let maximumMoves = 8

  /// - Throws: ``StoreError/Code/corrupt`` after setting a triplet aside whose rows are damaged.
  private nonisolated func stored(_ ids: [TripletID]) async throws(StoreError) -> [StoredTriplet] {
    var found: [StoredTriplet] = []
    for result in try await stored(each: ids) {
      switch result {
      case .success(let triplet): found.append(triplet)
      case .failure(let failure):
        if failure.error.code == .corrupt {
          await setAside(failure.triplet, reason: failure.error.message)
        }
        throw failure.error
      }
    }
    return found
  }

  /// What keeps one triplet from being read.
  struct ReadFailure: Error {
    let triplet: TripletID
    let error: StoreError
  }

  /// Looks up triplets that were not deleted, each on its own.
  func stored(
    each ids: [TripletID]
  ) throws(StoreError) -> [Result<StoredTriplet, ReadFailure>] {
    try read("reading triplets") { db in
      ids.map { id in
        do {
          guard let triplet = try storedTriplet(db, id), triplet.row.deleted == nil else {
            throw Self.noTriplet(id)
          }
          return .success(triplet)
        } catch {
          let failure = StoreError.database(error, "reading triplet \(id)")
          return .failure(ReadFailure(triplet: id, error: failure))
        }
      }
    }
  }

  private nonisolated func decode(
    _ triplet: StoredTriplet
  ) throws(StoreError) -> (info: TripletInfo, image: RGBImage, masks: [BinaryMask]) {
    let info = triplet.info
    guard !triplet.isQuarantined else {
      throw StoreError(
        .corrupt, "triplet \(info.triplet) was set aside because its bytes are damaged")
    }
    let image = try BlobCodec.image(
      packs.blob(triplet.row.image, of: info.triplet), width: info.width, height: info.height,
      of: info.triplet)
    var masks: [BinaryMask] = []
    for place in triplet.masks.map(\.place) {
      masks.append(
        try BlobCodec.mask(
          packs.blob(place, of: info.triplet), width: info.width, height: info.height,
          of: info.triplet))
    }
    return (info, image, masks)
  }

  /// Lists triplets that meet every condition given.
  ///
  /// - Throws: ``StoreError/Code/categoryUnknown``, ``StoreError/Code/invalidArgument``.
  public func query(_ query: TripletQuery.Params) throws(StoreError) -> TripletQuery.Result {
    let limit = query.limit ?? 100
    guard (1...Limits.standard.maximumQueryRows).contains(limit) else {
      throw StoreError(
        .invalidArgument,
        "limit is \(limit); expected 1 to \(Limits.standard.maximumQueryRows)")
    }
    if let category = query.category {
      guard index.read({ $0.rows[category] }) != nil else { throw Self.unknown(category) }
    }
    return try read("a query") { db in
      let ids = try queryTriplets(db, query, limit: limit)
      let triplets = try ids.prefix(limit).compactMap { try uncheckedTriplet(db, $0) }
        .filter(\.isSealed).map(\.info)
      return TripletQuery.Result(
        triplets: triplets, next: ids.count > limit ? ids.prefix(limit).last : nil)
    }
  }

  /// Sets a triplet aside whose bytes or rows were found broken.
  public nonisolated func setAside(_ id: TripletID, reason: String) async {
    do throws(StoreError) {
      _ = try await write { db, _, context in
        try quarantineTriplet(db, id, reason: reason, &context)
      }
    } catch {
      // The caller throws what was wrong with the triplet; the next read finds it again.
    }
  }

  static func unknown(_ name: CategoryName) -> StoreError {
    StoreError(
      .categoryUnknown,
      "no category '\(name)' in this store; 'groundwell counts' lists them, "
        + "'groundwell backfill' makes one")
  }

  /// What is thrown about a triplet that is not there.
  public static func noTriplet(_ id: TripletID) -> StoreError {
    StoreError(.tripletUnknown, "no triplet \(id) in this store")
  }
}
