import GRDB
import Schema

/// A row of the table `triplet`, its values checked.
struct TripletRow {
  let id: TripletID
  let width: Int
  let height: Int
  let prompt: String
  let provenance: Provenance
  let committedMicroseconds: Int64
  /// The sequence number that deleted it.
  let deleted: Int64?
  /// The sequence number that set it aside.
  let quarantined: Int64?
  let image: BlobPlace
  /// What ``Seal/of(_:_:)`` gave when the row was written.
  let seal: Int64

  /// Decodes a row of `SELECT * FROM triplet`.
  init(_ row: Row) throws {
    id = try row.get("id")
    (width, height) = (try row.get("width"), try row.get("height"))
    prompt = try row.get("prompt")
    provenance = Provenance(
      engine: try row.get("engine"), modelFingerprint: try row.get("model_fingerprint"),
      seed: try row.get("seed"), sampler: try row.get("sampler"), steps: try row.get("steps"),
      guidanceScale: try row.get("guidance_scale"),
      groundingFingerprint: try row.get("grounding_fingerprint"), worker: try row.get("worker"),
      createdMicroseconds: try row.get("created_us"))
    committedMicroseconds = try row.get("committed_us")
    deleted = try row.get("deleted_sequence")
    quarantined = try row.get("quarantined_sequence")
    image = try BlobPlace(row, .image, ordinal: 0)
    seal = try row.get("seal")
    let sides = 1...Limits.standard.maximumImageSide
    guard sides.contains(width), sides.contains(height) else {
      throw StoreError(.catalogDamaged, "catalog: triplet \(id) of \(width)x\(height) pixels")
    }
  }

  /// A row that is about to be written.
  init(_ id: TripletID, _ triplet: EncodedTriplet, _ image: BlobPlace, committed: Int64) {
    self.id = id
    (width, height, prompt) = (triplet.width, triplet.height, triplet.prompt)
    provenance = triplet.provenance
    committedMicroseconds = committed
    (deleted, quarantined) = (nil, nil)
    self.image = image
    seal = 0
  }
}

/// A row of the table `mask`, its values checked.
struct MaskRow {
  let category: Int64
  let info: MaskInfo
  let place: BlobPlace

  /// Decodes a row of `mask` with the `name` of its category.
  init(_ row: Row) throws {
    category = try row.get("category")
    let text: String = try row.get("source")
    guard let source = LabelSource(rawValue: text) else {
      throw StoreError(.catalogDamaged, "catalog: unknown label source '\(text.prefix(32))'")
    }
    info = MaskInfo(
      category: try CategoryName(try row.get("name") as String),
      instance: try row.get("instance"), source: source, confidence: try row.get("confidence"),
      visibleFraction: try row.get("visible_fraction"), pixelCount: try row.get("pixel_count"))
    let ordinal: Int = try row.get("ordinal")
    guard (0..<Limits.standard.maximumMasks).contains(ordinal) else {
      throw StoreError(.catalogDamaged, "catalog: a mask with ordinal \(ordinal)")
    }
    place = try BlobPlace(row, .mask, ordinal: ordinal)
  }

  /// A row that is about to be written.
  init(_ category: Int64, _ info: MaskInfo, _ place: BlobPlace) {
    self.category = category
    self.info = info
    self.place = place
  }
}

extension BlobPlace {
  /// Decodes the columns that `triplet` and `mask` share.
  init(_ row: Row, _ kind: PackLayout.Kind, ordinal: Int) throws {
    let number: Int = try row.get("codec")
    guard let codec = UInt8(exactly: number).flatMap(PackLayout.Codec.init(rawValue:)) else {
      throw StoreError(
        .newerVersion, "catalog: codec \(number) is unknown; a newer Groundwell wrote this blob")
    }
    let (pack, offset): (Int, Int) = (try row.get("pack"), try row.get("offset"))
    let storedBytes: Int = try row.get("stored_bytes")
    guard pack >= 1, (PackLayout.fileHeaderBytes...PackLayout.maximumFileBytes).contains(offset),
      (1...PackLayout.maximumPayloadBytes).contains(storedBytes)
    else {
      throw StoreError(
        .catalogDamaged, "catalog: a blob of \(storedBytes) bytes at \(offset) of pack \(pack)")
    }
    self.init(
      kind: kind, ordinal: ordinal, pack: pack, offset: offset, storedBytes: storedBytes,
      codec: codec, checksum: UInt64(bitPattern: try row.get("checksum") as Int64))
  }
}
