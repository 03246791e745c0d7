package import Schema

/// Reads pack records whose every byte may be anything, for tests: the reader must refuse or read
/// them, and never trap.
package enum RecordProbe {
  /// Writes a record of an image or a mask as a pack has it.
  package static func record(_ triplet: Triplet) throws(StoreError) -> [[UInt8]] {
    try EncodedTriplet(triplet).records(1).map { $0.bytes().bytes }
  }

  /// Puts the checksum on a record that it should have.
  package static func seal(_ record: inout [UInt8]) {
    guard record.count >= PackLayout.recordHeaderBytes else { return }
    let end = min(record.count, PackLayout.recordHeaderBytes + storedBytes(record))
    record.replaceSubrange(0..<8, with: xxh3(record[8..<end]).littleEndianBytes)
  }

  /// Reads a record for which the catalog says what the record says of itself, and decodes it in
  /// every way there is.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  package static func read(_ record: [UInt8], width: Int, height: Int) throws {
    guard record.count >= PackLayout.recordHeaderBytes else {
      throw StoreError(.corrupt, "\(record.count) bytes are no record")
    }
    let payload = storedBytes(record)
    guard let kind = PackLayout.Kind(rawValue: record[12]),
      let codec = PackLayout.Codec(rawValue: record[13]),
      payload <= record.count - PackLayout.recordHeaderBytes
    else { throw StoreError(.corrupt, "a record of an unknown kind") }
    let bytes = Array(record[..<(PackLayout.recordHeaderBytes + payload)])
    let triplet = TripletID(littleEndianBytes: bytes[24..<32])
    let place = BlobPlace(
      kind: kind, ordinal: Int(UInt16(littleEndianBytes: bytes[14..<16])), pack: 1, offset: 64,
      storedBytes: payload, codec: codec, checksum: UInt64(littleEndianBytes: bytes[0..<8]))
    let read = try PackRecord(bytes, place: place, of: triplet, file: "probe")
    // Safe: the pointer stays inside the closure, and the record has the length that its place says.
    try unsafe bytes.withUnsafeBytes { raw in
      try unsafe PackRecord.verify(raw, place: place, of: triplet, file: "probe")
    }
    if kind == .image {
      _ = try BlobCodec.image(read.blob, width: width, height: height, of: triplet)
      try decodePlanar(read.blob, width: width, height: height)
    } else {
      _ = try BlobCodec.mask(read.blob, width: width, height: height, of: triplet)
      try paint(read.blob, width: width, height: height)
    }
  }

  private static func decodePlanar(
    _ blob: EncodedBlob, width: Int, height: Int
  ) throws {
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    // Safe: both arrays live through the call, and the output has the size that the decoder demands.
    try unsafe pixels.withUnsafeMutableBytes { output in
      try unsafe blob.payload.withUnsafeBytes { payload in
        try unsafe BlobCodec.decodeImage(
          payload, codec: blob.codec, width: width, height: height, into: output, layout: .planar)
      }
    }
  }

  private static func paint(_ blob: EncodedBlob, width: Int, height: Int) throws {
    var labels = [UInt16](repeating: 0, count: width * height)
    // Safe: both arrays live through the call, and the output has the size that the decoder demands.
    try unsafe labels.withUnsafeMutableBufferPointer { output in
      try unsafe blob.payload.withUnsafeBytes { payload in
        try unsafe BlobCodec.paintMask(
          payload, codec: blob.codec, width: width, height: height, value: 7, into: output)
      }
    }
  }

  private static func storedBytes(_ record: [UInt8]) -> Int {
    Int(UInt32(littleEndianBytes: record[16..<20]))
  }
}
