import Schema
private import CXXHash

extension PackRecord {
  /// Holds the bytes of a record against what the catalog says of it, without a copy.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when any byte or fact differs.
  /// - Precondition: `bytes` has the record's header and its payload.
  static func verify(
    _ bytes: UnsafeRawBufferPointer, place: BlobPlace, of triplet: TripletID, file: String
  ) throws(StoreError) {
    let expected = PackLayout.recordHeaderBytes + place.storedBytes
    precondition(bytes.count == expected, "\(bytes.count) bytes for a record of \(expected)")
    // Safe: the precondition gives every offset below room.
    let found = unsafe XXH3_64bits(bytes.baseAddress.map { unsafe $0 + 8 }, expected - 8)
    let written = unsafe bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self).littleEndian
    guard found == written, written == place.checksum else {
      throw StoreError(
        .corrupt,
        "\(file) at \(place.offset), triplet \(triplet): checksum \(String(found, radix: 16)), the "
          + "record says \(String(written, radix: 16)), the catalog "
          + String(place.checksum, radix: 16))
    }
    let record = unsafe Fields(
      magic: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self).littleEndian,
      kind: bytes[12], codec: bytes[13],
      ordinal: Int(bytes.loadUnaligned(fromByteOffset: 14, as: UInt16.self).littleEndian),
      storedBytes: Int(bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self).littleEndian),
      triplet: bytes.loadUnaligned(fromByteOffset: 24, as: Int64.self).littleEndian)
    let isSame =
      record
      == Fields(
        magic: PackLayout.recordMagic, kind: place.kind.rawValue, codec: place.codec.rawValue,
        ordinal: place.ordinal, storedBytes: place.storedBytes, triplet: triplet)
    guard isSame else {
      throw StoreError(
        .corrupt,
        "\(file) at \(place.offset), triplet \(triplet): the record belongs to another place or "
          + "another triplet")
    }
  }

  private struct Fields: Equatable {
    let magic: UInt32
    let kind: UInt8
    let codec: UInt8
    let ordinal: Int
    let storedBytes: Int
    let triplet: TripletID
  }
}
