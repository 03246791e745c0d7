import Schema

/// What the header of a pack record says; the bytes are in `schema/pack/README.md`.
struct PackRecord: Equatable {
  /// Image or mask.
  let kind: PackLayout.Kind
  /// Position of a mask in its triplet; 0 for an image.
  let ordinal: Int
  /// The triplet it belongs to.
  let triplet: TripletID
  /// The encoded bytes.
  let blob: EncodedBlob

  /// The whole record up to where the next may start, and its checksum.
  func bytes() -> (bytes: [UInt8], checksum: UInt64) {
    precondition(blob.payload.count <= PackLayout.maximumPayloadBytes, "oversize payload")
    let count = PackLayout.recordBytes(payload: blob.payload.count)
    var bytes = [UInt8]()
    bytes.reserveCapacity(count)
    bytes.append(littleEndian: UInt64(0))
    bytes.append(littleEndian: PackLayout.recordMagic)
    bytes.append(kind.rawValue)
    bytes.append(blob.codec.rawValue)
    bytes.append(littleEndian: UInt16(ordinal))
    bytes.append(littleEndian: UInt32(blob.payload.count))
    bytes.append(littleEndian: UInt32(blob.decodedBytes))
    bytes.append(littleEndian: triplet)
    bytes += blob.payload
    let checksum = xxh3(bytes[8...])
    bytes.replaceSubrange(0..<8, with: checksum.littleEndianBytes)
    bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
    return (bytes, checksum)
  }

  /// Reads a record and holds it against what the catalog says of it.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when any byte or fact differs.
  init(_ bytes: [UInt8], place: BlobPlace, of triplet: TripletID, file: String)
    throws(StoreError)
  {
    func corrupt(_ message: String) -> StoreError {
      StoreError(.corrupt, "\(file) at \(place.offset), triplet \(triplet): \(message)")
    }
    let expected = PackLayout.recordHeaderBytes + place.storedBytes
    guard bytes.count == expected else {
      throw corrupt("the file ends after \(bytes.count) of \(expected) bytes")
    }
    let found = xxh3(bytes[8..<expected])
    let written = UInt64(littleEndianBytes: bytes[0..<8])
    guard found == written, written == place.checksum else {
      throw corrupt(
        "checksum \(hexadecimal(found)), the record says \(hexadecimal(written)), "
          + "the catalog \(hexadecimal(place.checksum))")
    }
    guard UInt32(littleEndianBytes: bytes[8..<12]) == PackLayout.recordMagic,
      let kind = PackLayout.Kind(rawValue: bytes[12]), kind == place.kind,
      let codec = PackLayout.Codec(rawValue: bytes[13]), codec == place.codec,
      Int(UInt16(littleEndianBytes: bytes[14..<16])) == place.ordinal,
      Int(UInt32(littleEndianBytes: bytes[16..<20])) == place.storedBytes,
      TripletID(littleEndianBytes: bytes[24..<32]) == triplet
    else {
      throw corrupt("the record belongs to another place or another triplet")
    }
    self.kind = kind
    ordinal = place.ordinal
    self.triplet = triplet
    blob = EncodedBlob(
      codec: codec, payload: Array(bytes[PackLayout.recordHeaderBytes...]),
      decodedBytes: Int(UInt32(littleEndianBytes: bytes[20..<24])))
  }

  /// A record to be written.
  init(kind: PackLayout.Kind, ordinal: Int, triplet: TripletID, blob: EncodedBlob) {
    self.kind = kind
    self.ordinal = ordinal
    self.triplet = triplet
    self.blob = blob
  }
}

/// Where a blob lies, as the catalog knows it.
struct BlobPlace: Equatable, Sendable {
  var kind: PackLayout.Kind
  var ordinal: Int
  var pack: Int
  var offset: Int
  var storedBytes: Int
  var codec: PackLayout.Codec
  var checksum: UInt64

  /// Bytes from its record to the next.
  var recordBytes: Int { PackLayout.recordBytes(payload: storedBytes) }
}

private func hexadecimal(_ value: UInt64) -> String { String(value, radix: 16) }
