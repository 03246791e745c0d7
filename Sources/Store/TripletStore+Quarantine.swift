import GRDB
public import Schema

extension TripletStore {
  /// Lists triplets that were set aside, by their ids.
  ///
  /// - Throws: ``StoreError/Code/invalidArgument``.
  public func quarantined(
    _ request: QuarantineList.Params
  ) throws(StoreError) -> QuarantineList.Result {
    let limit = try rowLimit(request.limit)
    let entries = try read("listing what was set aside") { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT id, coalesce(found_us, committed_us), coalesce(reason, 'no reason given')
          FROM triplet LEFT JOIN quarantine ON quarantine.triplet = triplet.id
          WHERE quarantined_sequence IS NOT NULL AND deleted_sequence IS NULL AND id > ?
          ORDER BY id LIMIT ?
          """, arguments: [request.after ?? 0, limit + 1]
      ).map { row in
        QuarantineList.Entry(
          triplet: try row.get(0), foundMicroseconds: try row.get(1), reason: try row.get(2))
      }
    }
    return QuarantineList.Result(
      triplets: Array(entries.prefix(limit)),
      next: entries.count > limit ? entries[limit - 1].triplet : nil)
  }

  /// Takes triplets back whose bytes and rows are whole again; each gets a new id.
  ///
  /// The lists of categories grow at their ends only: at its old place a triplet would change the
  /// order of every snapshot since it was set aside.
  public nonisolated func release(
    _ ids: [TripletID]
  ) async throws(StoreError) -> QuarantineRelease.Result {
    var result = QuarantineRelease.Result()
    for id in ids {
      do throws(StoreError) {
        guard let stored = try await setAsideTriplet(id) else {
          result.missing.append(id)
          continue
        }
        let triplet = EncodedTriplet(stored, try packs.verified(stored))
        let new = try await exchange(id, for: triplet)
        result.released.append(.init(triplet: id, became: new))
      } catch {
        guard error.code == .corrupt else { throw error }
        result.damaged.append(.init(triplet: id, reason: error.message))
      }
    }
    return result
  }

  private func setAsideTriplet(_ id: TripletID) throws(StoreError) -> StoredTriplet? {
    try read("looking up triplet \(id)") { db in
      guard try isSetAside(db, id) else { return nil }
      return try storedTriplet(db, id)
    }
  }

  private func exchange(
    _ id: TripletID, for triplet: EncodedTriplet
  ) async throws(StoreError) -> TripletID {
    try await write(triplet, isWanted: { db in try isSetAside(db, id) }) { db, written, context in
      guard let written, try isSetAside(db, id) else {
        throw StoreError(.tripletUnknown, "triplet \(id) changed while it was released; ask again")
      }
      try insertTriplet(db, written.id, triplet, written.places, &context)
      try db.execute(
        sql: "UPDATE import_item SET triplet = ? WHERE triplet = ?", arguments: [written.id, id])
      let sequence = context.sequence + 1
      if try deleteTriplet(db, id, at: sequence, &context) { context.sequence = sequence }
      return written.id
    }
  }
}

private func isSetAside(_ db: Database, _ id: TripletID) throws -> Bool {
  try Bool.fetchOne(
    db,
    sql: """
      SELECT quarantined_sequence IS NOT NULL AND deleted_sequence IS NULL FROM triplet
      WHERE id = ?
      """, arguments: [id]) ?? false
}

extension PackFolder {
  /// The blobs of a triplet, each verified and decoded once.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  func verified(_ stored: StoredTriplet) throws(StoreError) -> [EncodedBlob] {
    let (id, width, height) = (stored.row.id, stored.row.width, stored.row.height)
    let image = try blob(stored.row.image, of: id)
    _ = try BlobCodec.image(image, width: width, height: height, of: id)
    var blobs = [image]
    for place in stored.masks.map(\.place) {
      let mask = try blob(place, of: id)
      _ = try BlobCodec.mask(mask, width: width, height: height, of: id)
      blobs.append(mask)
    }
    return blobs
  }
}

extension EncodedTriplet {
  /// A triplet that the store has, to be written once more.
  init(_ stored: StoredTriplet, _ blobs: [EncodedBlob]) {
    width = stored.row.width
    height = stored.row.height
    prompt = stored.row.prompt
    provenance = stored.row.provenance
    masks = stored.masks.map(\.info)
    self.blobs = blobs
  }
}
