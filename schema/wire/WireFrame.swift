/// One unit on the socket: JSON, an optional body, and how many descriptors ride on it.
///
/// Sixteen bytes of header, then the JSON, then the body; numbers little-endian:
///
/// | offset | bytes | holds |
/// |---|---|---|
/// | 0 | 4 | magic `GWF1` |
/// | 4 | 1 | version, 1 |
/// | 5 | 1 | flags, 0 |
/// | 6 | 1 | descriptor count |
/// | 7 | 1 | reserved, 0 |
/// | 8 | 4 | bytes of JSON, at least 2 |
/// | 12 | 4 | bytes of body |
public struct WireFrame: Sendable, Equatable {
  /// Bytes before the JSON.
  public static let headerBytes = 16
  /// `GWF1`, read as a little-endian number.
  public static let magic: UInt32 = 0x3146_5747
  /// The frame version that this code reads and writes.
  public static let version: UInt8 = 1

  /// UTF-8 of one JSON-RPC 2.0 object.
  public var json: [UInt8]
  /// Bytes behind the JSON; safetensors where a message has a body.
  public var body: [UInt8]
  /// How many descriptors ride on the frame's first byte.
  public var descriptorCount: Int

  /// Creates a frame.
  public init(json: [UInt8], body: [UInt8] = [], descriptorCount: Int = 0) {
    self.json = json
    self.body = body
    self.descriptorCount = descriptorCount
  }

  /// The 16 bytes that announce this frame.
  public var header: [UInt8] {
    FrameHeader(
      jsonBytes: json.count, bodyBytes: body.count, descriptorCount: descriptorCount
    ).bytes
  }

  /// The whole frame as one sequence of bytes.
  public var bytes: [UInt8] { header + json + body }
}

/// The first 16 bytes of a frame.
public struct FrameHeader: Sendable, Equatable {
  /// Bytes of JSON.
  public var jsonBytes: Int
  /// Bytes of body.
  public var bodyBytes: Int
  /// Descriptors that ride on the frame.
  public var descriptorCount: Int

  /// Creates a header.
  public init(jsonBytes: Int, bodyBytes: Int, descriptorCount: Int) {
    self.jsonBytes = jsonBytes
    self.bodyBytes = bodyBytes
    self.descriptorCount = descriptorCount
  }

  /// Reads a header and checks every field.
  ///
  /// - Parameter bytes: the first 16 bytes of a frame.
  /// - Throws: ``SchemaError/Code/badFrame``.
  /// - Precondition: `bytes` holds 16 bytes.
  public init(_ bytes: ArraySlice<UInt8>, maximumBodyBytes: Int, limits: Limits = .standard)
    throws(SchemaError)
  {
    precondition(bytes.count == WireFrame.headerBytes, "\(bytes.count) bytes for a frame header")
    let b = bytes.startIndex
    func refused(_ message: String) -> SchemaError { SchemaError(.badFrame, message) }
    let magic = UInt32(littleEndianBytes: bytes[b..<(b + 4)])
    guard magic == WireFrame.magic else {
      throw refused(
        "frame starts with 0x\(String(magic, radix: 16)); expected magic 'GWF1' "
          + "(0x\(String(WireFrame.magic, radix: 16)))")
    }
    guard bytes[b + 4] == WireFrame.version else {
      throw refused("frame version \(bytes[b + 4]); this side speaks \(WireFrame.version)")
    }
    guard bytes[b + 5] == 0, bytes[b + 7] == 0 else {
      throw refused(
        "frame flags \(bytes[b + 5]) and reserved byte \(bytes[b + 7]); expected 0 and 0")
    }
    descriptorCount = Int(bytes[b + 6])
    guard descriptorCount <= limits.maximumDescriptors else {
      throw refused(
        "frame announces \(descriptorCount) descriptors; at most \(limits.maximumDescriptors)")
    }
    jsonBytes = Int(UInt32(littleEndianBytes: bytes[(b + 8)..<(b + 12)]))
    guard (2...limits.maximumJsonBytes).contains(jsonBytes) else {
      throw refused(
        "frame announces \(jsonBytes) bytes of JSON; expected 2 to \(limits.maximumJsonBytes)")
    }
    bodyBytes = Int(UInt32(littleEndianBytes: bytes[(b + 12)..<(b + 16)]))
    guard bodyBytes <= maximumBodyBytes else {
      throw refused(
        "frame announces a body of \(bodyBytes) bytes; at most \(maximumBodyBytes)")
    }
  }

  /// The 16 bytes.
  public var bytes: [UInt8] {
    WireFrame.magic.littleEndianBytes + [WireFrame.version, 0, UInt8(descriptorCount), 0]
      + UInt32(jsonBytes).littleEndianBytes + UInt32(bodyBytes).littleEndianBytes
  }
}
