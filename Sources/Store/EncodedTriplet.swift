public import Schema

/// How much time goes into making an image small; what comes out is read alike.
public enum EncodingCare: Sendable {
  /// All ways are tried, and the best one is compressed slowly.
  case careful
  /// One way, compressed fast: several times as quick, and a tenth to a fifth longer.
  case quick
}

/// A triplet that is checked and encoded, ready to be written.
///
/// Made on the caller's thread, so that the store's queue only writes.
public struct EncodedTriplet: Sendable {
  let width: Int
  let height: Int
  let prompt: String
  let provenance: Provenance
  let masks: [MaskInfo]
  let blobs: [EncodedBlob]

  /// Checks and encodes a triplet.
  ///
  /// - Throws: ``StoreError/Code/invalidArgument`` when a rule of ``Schema/Triplet/validate(_:)``
  ///   is broken.
  public init(_ triplet: Triplet, _ care: EncodingCare = .careful) throws(StoreError) {
    do throws(SchemaError) {
      try triplet.validate()
    } catch {
      throw StoreError(.invalidArgument, error.message, cause: error)
    }
    width = triplet.image.width
    height = triplet.image.height
    prompt = triplet.prompt
    provenance = triplet.provenance
    masks = triplet.masks.map { entry in
      var info = entry.info
      info.pixelCount = entry.mask.pixelCount
      return info
    }
    blobs =
      [BlobCodec.encode(triplet.image, care)] + triplet.masks.map { BlobCodec.encode($0.mask) }
  }

  /// Bytes of its records.
  var recordBytes: Int {
    blobs.reduce(0) { $0 + PackLayout.recordBytes(payload: $1.payload.count) }
  }

  /// The records to append for this triplet under the identity `id`.
  func records(_ id: TripletID) -> [PackRecord] {
    blobs.enumerated().map { index, blob in
      PackRecord(
        kind: index == 0 ? .image : .mask, ordinal: max(0, index - 1), triplet: id, blob: blob)
    }
  }
}
