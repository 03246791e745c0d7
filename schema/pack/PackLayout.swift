/// The bytes of a pack file, numbers little-endian; the table is in `schema/pack/README.md`.
public enum PackLayout {
  /// `GWPACK1` and a zero byte, read as a little-endian number.
  public static let fileMagic: UInt64 = 0x0031_4B43_4150_5747
  /// Bytes before the first record.
  public static let fileHeaderBytes = 64
  /// `GWR1`, read as a little-endian number.
  public static let recordMagic: UInt32 = 0x3152_5747
  /// Bytes of a record before its payload.
  public static let recordHeaderBytes = 32
  /// Records start at multiples of this.
  public static let recordAlignment = 8
  /// A pack is sealed, and a new one begun, when it is at least this long.
  public static let sealBytes = 1 << 30
  /// No pack is ever longer; a larger offset comes from a damaged catalog.
  public static let maximumFileBytes = 1 << 40
  /// The largest payload of one record.
  public static let maximumPayloadBytes = 64 << 20

  /// What a record holds.
  public enum Kind: UInt8, Sendable {
    /// The image of a triplet.
    case image = 1
    /// One mask of a triplet.
    case mask = 2
  }

  /// How a payload is encoded; numbers are never reused and old codecs stay readable.
  public enum Codec: UInt8, Sendable {
    /// Bytes as they are.
    case raw = 0
    /// Image: planes G, R−G, B−G, each row minus the row above, LZ4.
    case planarDeltaLZ4 = 1
    /// Image: bands of bit planes of colour and pixel differences, LZ4.
    case bitPlanesLZ4 = 2
    /// Mask: alternating run lengths, zeros first, as LEB128, then LZ4.
    case runsLZ4 = 16
    /// Mask: eight pixels to a byte, lowest bit first, then LZ4.
    case bitsLZ4 = 17
  }

  /// The bytes from the start of one record to the start of the next.
  public static func recordBytes(payload: Int) -> Int {
    let length = recordHeaderBytes + payload
    return (length + recordAlignment - 1) / recordAlignment * recordAlignment
  }
}
