import GRDB
import Schema

/// The row of a category, made where it is missing.
func categoryRow(
  _ db: Database, _ name: CategoryName, _ context: inout CommitContext
) throws -> Int64 {
  let select = try db.cachedStatement(sql: "SELECT id FROM category WHERE name = ?")
  if let row = try Int64.fetchOne(select, arguments: [name.text]) { return row }
  try db.execute(sql: "INSERT INTO category (name) VALUES (?)", arguments: [name.text])
  context.categories.insert(db.lastInsertedRowID)
  return db.lastInsertedRowID
}

/// Adds one triplet whose blobs are on the disk.
func insertTriplet(
  _ db: Database, _ id: TripletID, _ triplet: EncodedTriplet, _ places: [BlobPlace],
  _ context: inout CommitContext
) throws {
  let image = places[0]
  let facts = triplet.provenance
  try db.cachedStatement(
    sql: """
      INSERT INTO triplet (id, width, height, prompt, engine, model_fingerprint, seed, sampler,
        steps, guidance_scale, grounding_fingerprint, worker, created_us, committed_us,
        pack, offset, stored_bytes, codec, checksum)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
  ).execute(arguments: [
    id, triplet.width, triplet.height, triplet.prompt, facts.engine, facts.modelFingerprint,
    facts.seed, facts.sampler, facts.steps, facts.guidanceScale, facts.groundingFingerprint,
    facts.worker, facts.createdMicroseconds, context.now, image.pack, image.offset,
    image.storedBytes, Int(image.codec.rawValue), Int64(bitPattern: image.checksum),
  ])
  var instances: [Int64: (name: CategoryName, count: Int)] = [:]
  for (info, place) in zip(triplet.masks, places.dropFirst()) {
    let row = try categoryRow(db, info.category, &context)
    instances[row, default: (info.category, 0)].count += 1
    try db.cachedStatement(
      sql: """
        INSERT INTO mask (triplet, ordinal, category, instance, source, confidence,
          visible_fraction, pixel_count, pack, offset, stored_bytes, codec, checksum)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      id, place.ordinal, row, info.instance, info.source.rawValue, info.confidence,
      info.visibleFraction, info.pixelCount, place.pack, place.offset, place.storedBytes,
      Int(place.codec.rawValue), Int64(bitPattern: place.checksum),
    ])
  }
  for (row, entry) in instances {
    try db.cachedStatement(
      sql: "UPDATE category SET stock = stock + 1, instances = instances + ? WHERE id = ?"
    ).execute(arguments: [entry.count, row])
  }
  context.added.append(
    .init(
      triplet: id,
      categories: instances.sorted { $0.key < $1.key }
        .map { (row: $0.key, name: $0.value.name, instances: $0.value.count) }))
}

/// Sets a triplet aside; false when it is gone or set aside already.
func quarantineTriplet(
  _ db: Database, _ id: TripletID, _ context: inout CommitContext
) throws -> Bool {
  let sequence = context.sequence + 1
  try db.execute(
    sql: """
      UPDATE triplet SET quarantined_sequence = ?
      WHERE id = ? AND quarantined_sequence IS NULL AND deleted_sequence IS NULL
      """, arguments: [sequence, id])
  guard db.changesCount == 1 else { return false }
  try db.execute(
    sql: """
      UPDATE category SET stock = stock - 1,
        instances = instances - (SELECT count(*) FROM mask WHERE triplet = ?1 AND category = category.id)
      WHERE id IN (SELECT category FROM mask WHERE triplet = ?1)
      """, arguments: [id])
  context.sequence = sequence
  let rows = try Row.fetchAll(
    db, sql: "SELECT category, count(*) FROM mask WHERE triplet = ? GROUP BY category",
    arguments: [id])
  context.quarantined.append((id, sequence, rows.map { (row: $0[0], instances: $0[1]) }))
  return true
}

/// Everything the catalog knows of one triplet.
struct StoredTriplet: Sendable {
  let info: TripletInfo
  /// Whether its bytes were found broken before.
  let isQuarantined: Bool
  let image: BlobPlace
  let masks: [BlobPlace]
}

/// Reads what the catalog knows of a triplet; nil when there is none, or it was deleted.
func storedTriplet(_ db: Database, _ id: TripletID) throws -> StoredTriplet? {
  let select = try db.cachedStatement(
    sql: "SELECT * FROM triplet WHERE id = ? AND deleted_sequence IS NULL")
  guard let row = try Row.fetchOne(select, arguments: [id]) else { return nil }
  let masks = try Row.fetchAll(
    try db.cachedStatement(
      sql: """
        SELECT mask.*, category.name FROM mask JOIN category ON category.id = mask.category
        WHERE triplet = ? ORDER BY ordinal
        """), arguments: [id])
  return try StoredTriplet(
    info: tripletInfo(row, masks.map(maskInfo)),
    isQuarantined: row["quarantined_sequence"] as Int64? != nil,
    image: blobPlace(row, .image, ordinal: 0),
    masks: masks.map { try blobPlace($0, .mask, ordinal: $0["ordinal"]) })
}

private func tripletInfo(_ row: Row, _ masks: [MaskInfo]) -> TripletInfo {
  TripletInfo(
    triplet: row["id"], width: row["width"], height: row["height"], prompt: row["prompt"],
    masks: masks,
    provenance: Provenance(
      engine: row["engine"], modelFingerprint: row["model_fingerprint"], seed: row["seed"],
      sampler: row["sampler"], steps: row["steps"], guidanceScale: row["guidance_scale"],
      groundingFingerprint: row["grounding_fingerprint"], worker: row["worker"],
      createdMicroseconds: row["created_us"]),
    committedMicroseconds: row["committed_us"])
}

private func maskInfo(_ row: Row) throws -> MaskInfo {
  guard let source = LabelSource(rawValue: row["source"]) else {
    throw StoreError(.catalogDamaged, "catalog: unknown label source '\(row["source"] as String)'")
  }
  return MaskInfo(
    category: try CategoryName(row["name"] as String), instance: row["instance"],
    source: source, confidence: row["confidence"], visibleFraction: row["visible_fraction"],
    pixelCount: row["pixel_count"])
}

func blobPlace(_ row: Row, _ kind: PackLayout.Kind, ordinal: Int) throws -> BlobPlace {
  let number: Int = row["codec"]
  guard let codec = UInt8(exactly: number).flatMap(PackLayout.Codec.init(rawValue:)) else {
    throw StoreError(
      .newerVersion, "catalog: codec \(number) is unknown; a newer Groundwell wrote this blob")
  }
  let (offset, storedBytes): (Int, Int) = (row["offset"], row["stored_bytes"])
  guard storedBytes <= PackLayout.maximumPayloadBytes else {
    throw StoreError(.catalogDamaged, "catalog: a blob of \(storedBytes) bytes")
  }
  return BlobPlace(
    kind: kind, ordinal: ordinal, pack: row["pack"], offset: offset, storedBytes: storedBytes,
    codec: codec, checksum: UInt64(bitPattern: row["checksum"] as Int64))
}

/// The ids that a query asks for, one more than its limit.
func queryTriplets(_ db: Database, _ query: TripletQuery.Params, limit: Int) throws
  -> [TripletID]
{
  var conditions = ["deleted_sequence IS NULL", "quarantined_sequence IS NULL"]
  var arguments: [(any DatabaseValueConvertible)?] = []
  func add(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
    conditions.append(condition)
    arguments.append(value)
  }
  if let engine = query.engine { add("engine = ?", engine) }
  if let since = query.sinceMicroseconds { add("committed_us >= ?", since) }
  if let until = query.untilMicroseconds { add("committed_us < ?", until) }
  let isDescending = query.descending ?? false
  if let after = query.after { add(isDescending ? "id < ?" : "id > ?", after) }
  if query.category != nil || query.source != nil {
    var inner: [String] = []
    if let category = query.category {
      inner.append("mask.category = (SELECT id FROM category WHERE name = ?)")
      arguments.append(category.text)
    }
    if let source = query.source {
      inner.append("mask.source = ?")
      arguments.append(source.rawValue)
    }
    // By the mask's own index: a rare category is found without a look at every triplet.
    conditions.append("id IN (SELECT triplet FROM mask WHERE \(inner.joined(separator: " AND ")))")
  }
  arguments.append(limit + 1)
  return try TripletID.fetchAll(
    db,
    sql: """
      SELECT id FROM triplet WHERE \(conditions.joined(separator: " AND "))
      ORDER BY id \(isDescending ? "DESC" : "ASC") LIMIT ?
      """, arguments: StatementArguments(arguments))
}
