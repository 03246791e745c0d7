import GRDB
import Schema

/// The checksum of what the catalog says of a triplet and its masks.
///
/// Places are not in it: compaction moves records, and a record at a wrong place is found by its
/// own checksum and header.
struct Seal {
  private var bytes: [UInt8] = []

  /// The seal of a triplet with its masks in the order of their ordinals.
  static func of(_ triplet: TripletRow, _ masks: [MaskRow]) -> Int64 {
    of(triplet, masks, deleted: triplet.deleted)
  }

  /// The seal that a triplet has once it is deleted.
  ///
  /// That it was set aside is not in it: such a row may be damaged and keeps the seal that says so.
  static func of(_ triplet: TripletRow, _ masks: [MaskRow], deleted: Int64?) -> Int64 {
    var seal = Seal()
    seal.bytes.reserveCapacity(256 + 64 * masks.count + triplet.prompt.utf8.count)
    for number in [triplet.id, Int64(triplet.width), Int64(triplet.height)] { seal.add(number) }
    seal.add(triplet.prompt)
    let facts = triplet.provenance
    seal.add(facts.engine)
    seal.add(facts.modelFingerprint)
    seal.add(facts.seed)
    seal.add(facts.sampler)
    seal.add(facts.steps.map { steps in Int64(steps) })
    seal.add(facts.guidanceScale)
    seal.add(facts.groundingFingerprint)
    seal.add(facts.worker)
    seal.add(facts.createdMicroseconds)
    seal.add(triplet.committedMicroseconds)
    seal.add(deleted)
    seal.add(triplet.image)
    for mask in masks {
      seal.add(mask.category)
      seal.add(mask.info.category.text)
      seal.add(Int64(mask.info.instance))
      seal.add(mask.info.source.rawValue)
      seal.add(mask.info.confidence)
      seal.add(mask.info.visibleFraction)
      seal.add(mask.info.pixelCount.map { Int64($0) })
      seal.add(mask.place)
    }
    return Int64(bitPattern: xxh3(seal.bytes[...]))
  }

  private mutating func add(_ number: Int64?) {
    bytes.append(number == nil ? 0 : 1)
    bytes.append(littleEndian: number ?? 0)
  }

  private mutating func add(_ number: Double?) {
    // SQLite has no negative zero: a REAL that is whole is stored as an integer.
    add(number.map { Int64(bitPattern: ($0 + 0).bitPattern) })
  }

  private mutating func add(_ text: String?) {
    add(text.map { Int64($0.utf8.count) })
    if let text { bytes += text.utf8 }
  }

  private mutating func add(_ place: BlobPlace) {
    add(Int64(place.ordinal))
    add(Int64(place.storedBytes))
    add(Int64(place.codec.rawValue))
    add(Int64(bitPattern: place.checksum))
  }
}

extension StoreError {
  /// A triplet whose rows are not what was written.
  static func broken(_ triplet: TripletID) -> StoreError {
    StoreError(
      .corrupt,
      "catalog.sqlite: what is stored of triplet \(triplet) does not match its seal; the file is "
        + "damaged: restore it from a backup")
  }
}
