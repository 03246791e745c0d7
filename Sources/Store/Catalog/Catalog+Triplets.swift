import GRDB
import Schema

/// The row of a category, made where it is missing.
func categoryRow(
  _ db: Database, _ name: CategoryName, _ context: inout CommitContext
) throws -> Int64 {
  if let row = context.categoryRows[name] { return row }
  try db.execute(sql: "INSERT INTO category (name) VALUES (?)", arguments: [name.text])
  let row = db.lastInsertedRowID
  context.categories.insert(row)
  context.categoryRows[name] = row
  return row
}

/// Adds one triplet whose blobs are on the disk; its prompt is indexed later.
func insertTriplet(
  _ db: Database, _ id: TripletID, _ triplet: EncodedTriplet, _ places: [BlobPlace],
  _ context: inout CommitContext
) throws {
  let row = TripletRow(id, triplet, places[0], committed: context.now)
  let masks = try zip(triplet.masks, places.dropFirst()).map { info, place in
    MaskRow(try categoryRow(db, info.category, &context), info, place)
  }
  try insert(db, row, seal: Seal.of(row, masks))
  for mask in masks { try insert(db, mask, of: id) }
  var instances: [Int64: (name: CategoryName, count: Int)] = [:]
  for mask in masks { instances[mask.category, default: (mask.info.category, 0)].count += 1 }
  for (category, entry) in instances {
    try db.cachedStatement(
      sql: "UPDATE category SET stock = stock + 1, instances = instances + ? WHERE id = ?"
    ).execute(arguments: [entry.count, category])
  }
  for place in places { context.countLive(place) }
  context.added.append(
    .init(
      triplet: id,
      categories: instances.sorted { $0.key < $1.key }
        .map { (row: $0.key, name: $0.value.name, instances: $0.value.count) }))
}

private func insert(_ db: Database, _ row: TripletRow, seal: Int64) throws {
  let (facts, image) = (row.provenance, row.image)
  try db.cachedStatement(
    sql: """
      INSERT INTO triplet (id, width, height, prompt, engine, model_fingerprint, seed, sampler,
        steps, guidance_scale, grounding_fingerprint, worker, created_us, committed_us,
        pack, offset, stored_bytes, codec, checksum, seal)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
  ).execute(arguments: [
    row.id, row.width, row.height, row.prompt, facts.engine, facts.modelFingerprint,
    facts.seed, facts.sampler, facts.steps, facts.guidanceScale, facts.groundingFingerprint,
    facts.worker, facts.createdMicroseconds, row.committedMicroseconds, image.pack, image.offset,
    image.storedBytes, Int(image.codec.rawValue), Int64(bitPattern: image.checksum), seal,
  ])
}

private func insert(_ db: Database, _ row: MaskRow, of triplet: TripletID) throws {
  let (info, place) = (row.info, row.place)
  try db.cachedStatement(
    sql: """
      INSERT INTO mask (triplet, ordinal, category, instance, source, confidence,
        visible_fraction, pixel_count, pack, offset, stored_bytes, codec, checksum)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
  ).execute(arguments: [
    triplet, place.ordinal, row.category, info.instance, info.source.rawValue, info.confidence,
    info.visibleFraction, info.pixelCount, place.pack, place.offset, place.storedBytes,
    Int(place.codec.rawValue), Int64(bitPattern: place.checksum),
  ])
}

/// Everything the catalog knows of one triplet.
struct StoredTriplet {
  let row: TripletRow
  let masks: [MaskRow]

  /// What clients see of it.
  var info: TripletInfo {
    TripletInfo(
      triplet: row.id, width: row.width, height: row.height, prompt: row.prompt,
      masks: masks.map(\.info), provenance: row.provenance,
      committedMicroseconds: row.committedMicroseconds)
  }
  /// Whether its bytes were found broken before.
  var isQuarantined: Bool { row.quarantined != nil }
  /// Where its image, then its masks, are.
  var places: [BlobPlace] { [row.image] + masks.map(\.place) }
  /// Whether the rows are as they were written.
  var isSealed: Bool { Seal.of(row, masks) == row.seal }
}

/// Reads what the catalog knows of a triplet, whether deleted or not; nil when there is none.
///
/// - Throws: ``StoreError/Code/corrupt`` when the rows are not what was written.
func storedTriplet(_ db: Database, _ id: TripletID) throws -> StoredTriplet? {
  guard let stored = try uncheckedTriplet(db, id) else { return nil }
  guard stored.isSealed else { throw StoreError.broken(id) }
  return stored
}

/// Reads the rows of a triplet without holding them against their seal.
///
/// - Throws: ``StoreError/Code/corrupt`` when a value is none that was ever written.
func uncheckedTriplet(_ db: Database, _ id: TripletID) throws -> StoredTriplet? {
  let select = try db.cachedStatement(sql: "SELECT * FROM triplet WHERE id = ?")
  guard let row = try Row.fetchOne(select, arguments: [id]) else { return nil }
  let masks = try Row.fetchAll(
    try db.cachedStatement(
      sql: """
        SELECT mask.*, category.name FROM mask LEFT JOIN category ON category.id = mask.category
        WHERE triplet = ? ORDER BY ordinal
        """), arguments: [id])
  return try decoding(id) {
    StoredTriplet(row: try TripletRow(row), masks: try masks.map(MaskRow.init))
  }
}

/// Runs `body`, which decodes rows of a triplet; what it finds wrong is that triplet's damage.
func decoding<T>(_ id: TripletID, _ body: () throws -> T) throws -> T {
  do {
    return try body()
  } catch {
    let found = StoreError.database(error, "reading triplet \(id)")
    guard found.code != .newerVersion, found.code != .unwritable else { throw found }
    throw StoreError(
      .corrupt, "catalog.sqlite: the rows of triplet \(id) are damaged: \(found.message)",
      cause: error)
  }
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
  let select = try db.makeStatement(
    sql: """
      SELECT id FROM triplet WHERE \(conditions.joined(separator: " AND "))
      ORDER BY id \(isDescending ? "DESC" : "ASC") LIMIT ?
      """)
  return try TripletID.fetchAll(select.bound(arguments))
}
