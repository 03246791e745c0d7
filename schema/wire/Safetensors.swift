import Foundation

/// The element types that bodies use, named as safetensors names them.
public enum ElementType: String, Sendable, CaseIterable {
  /// Unsigned 8-bit.
  case u8 = "U8"
  /// Unsigned 16-bit.
  case u16 = "U16"
  /// Signed 32-bit.
  case i32 = "I32"
  /// Signed 64-bit.
  case i64 = "I64"
  /// IEEE 754 single precision.
  case f32 = "F32"

  /// Bytes of one element.
  public var bytes: Int {
    switch self {
    case .u8: 1
    case .u16: 2
    case .i32, .f32: 4
    case .i64: 8
    }
  }
}

/// One tensor inside a body.
public struct BodyTensor: Sendable, Equatable {
  /// The element type.
  public let type: ElementType
  /// Sizes of the axes, outermost first.
  public let shape: [Int]
  /// Where the little-endian, C-order elements lie in the body.
  public let range: Range<Int>
}

/// Bytes in the layout of the safetensors format: an 8-byte header length, a JSON header, data.
///
/// Bodies on the wire keep three further rules: every tensor starts at a multiple of 64 bytes from
/// the start of the body (tensors named `__pad0`, `__pad1`, … fill the gaps, since the format
/// allows none), tensors lie in the order in which they were added, and the same tensors always
/// give the same bytes. Source: <https://github.com/huggingface/safetensors>, "Format".
public enum Safetensors {
  /// Tensors start at multiples of this many bytes.
  public static let alignment = 64
  /// A header is at most this many bytes.
  public static let maximumHeaderBytes = 1 << 20
  /// Prefix of the names of tensors that only fill gaps.
  public static let paddingPrefix = "__pad"

  /// Where everything lies in a body that is to be written.
  public struct Plan: Sendable {
    /// The bytes before the first tensor.
    public let header: [UInt8]
    /// Tensors by name.
    public let tensors: [String: BodyTensor]
    /// Bytes of the whole body.
    public let totalBytes: Int
  }

  /// Lays out a body.
  ///
  /// - Precondition: names differ and none starts with `__`.
  public static func plan(
    _ tensors: [(name: String, type: ElementType, shape: [Int])]
  ) -> Plan {
    var entries: [String] = []
    var ranges: [(name: String, type: ElementType, shape: [Int], start: Int, end: Int)] = []
    var offset = 0
    for (index, tensor) in tensors.enumerated() {
      precondition(!tensor.name.hasPrefix("__"), "'\(tensor.name)' is a reserved tensor name")
      let bytes = tensor.shape.reduce(tensor.type.bytes, *)
      entries.append(
        entry(tensor.name, tensor.type.rawValue, tensor.shape, offset, offset + bytes))
      ranges.append((tensor.name, tensor.type, tensor.shape, offset, offset + bytes))
      offset += bytes
      let padding = (alignment - offset % alignment) % alignment
      if padding > 0, index + 1 < tensors.count {
        entries.append(
          entry(paddingPrefix + "\(index)", "U8", [padding], offset, offset + padding))
        offset += padding
      }
    }
    precondition(Set(tensors.map(\.name)).count == tensors.count, "a tensor name is there twice")
    var json = Array("{\(entries.joined(separator: ","))}".utf8)
    let unaligned = (8 + json.count) % alignment
    if unaligned > 0 {
      json.append(contentsOf: repeatElement(0x20, count: alignment - unaligned))
    }
    let start = 8 + json.count
    let placed = ranges.map { range in
      (
        range.name,
        BodyTensor(
          type: range.type, shape: range.shape, range: (start + range.start)..<(start + range.end))
      )
    }
    return Plan(
      header: UInt64(json.count).littleEndianBytes + json,
      tensors: Dictionary(uniqueKeysWithValues: placed), totalBytes: start + offset)
  }

  private static func entry(
    _ name: String, _ type: String, _ shape: [Int], _ start: Int, _ end: Int
  ) -> String {
    let axes = shape.map { "\($0)" }.joined(separator: ",")
    return
      "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":[\(axes)],\"data_offsets\":[\(start),\(end)]}"
  }

  /// Writes a body from whole tensors.
  ///
  /// - Precondition: each tensor's bytes fit its shape.
  public static func encode(
    _ tensors: [(name: String, type: ElementType, shape: [Int], bytes: [UInt8])]
  ) -> [UInt8] {
    let plan = plan(tensors.map { ($0.name, $0.type, $0.shape) })
    var body = [UInt8]()
    body.reserveCapacity(plan.totalBytes)
    body.append(contentsOf: plan.header)
    for tensor in tensors {
      guard let range = plan.tensors[tensor.name]?.range else { continue }
      precondition(
        range.count == tensor.bytes.count,
        "'\(tensor.name)' has \(tensor.bytes.count) bytes for shape \(tensor.shape)")
      body.append(contentsOf: repeatElement(0, count: range.lowerBound - body.count))
      body.append(contentsOf: tensor.bytes)
    }
    return body
  }

  /// Reads where the tensors of a body lie; padding is left out.
  ///
  /// - Throws: ``SchemaError/Code/badBody`` when anything in the header is broken, tensors overlap
  ///   or leave holes, or an element type is none of ``ElementType``.
  public static func decode(_ body: [UInt8]) throws(SchemaError) -> [String: BodyTensor] {
    try decode(beginning: body, totalBytes: body.count)
  }

  /// Reads where the tensors of a body lie from its first bytes: ``headerBytes(_:totalBytes:)`` of
  /// them are enough.
  ///
  /// - Throws: as ``decode(_:)``.
  public static func decode(
    beginning body: [UInt8], totalBytes: Int
  ) throws(SchemaError) -> [String: BodyTensor] {
    let start = try headerBytes(body, totalBytes: totalBytes)
    guard start <= body.count else {
      throw refused("\(body.count) bytes of a header of \(start)")
    }
    let header = body[8..<start]
    var entries = SafetensorsHeader.plainEntries(header) ?? [:]
    if entries.isEmpty { entries = try parsed(header, refused) }
    var end = 0
    var result: [String: BodyTensor] = [:]
    for (name, entry) in entries.sorted(by: { $0.value.order < $1.value.order }) {
      guard let type = ElementType(rawValue: entry.dtype) else {
        throw refused(
          "'\(name.prefix(64))' has element type '\(entry.dtype.prefix(16))', which this side does not read"
        )
      }
      guard let bytes = byteCount(entry.shape, type) else {
        throw refused(
          "'\(name.prefix(64))' has the impossible shape \(entry.shape.prefix(8))")
      }
      guard entry.data_offsets.count == 2, entry.data_offsets[0] == end,
        entry.data_offsets[1] == end + bytes, bytes <= totalBytes - start - end
      else {
        throw refused(
          "'\(name.prefix(64))' \(entry.shape.prefix(8)) lies at \(entry.data_offsets.prefix(4)); expected \(end) to "
            + "\(end + bytes) of \(totalBytes - start) bytes")
      }
      if !name.hasPrefix(paddingPrefix) {
        result[name] = BodyTensor(
          type: type, shape: entry.shape, range: (start + end)..<(start + end + bytes))
      }
      end += bytes
    }
    guard start + end == totalBytes else {
      throw refused("\(totalBytes - start - end) bytes behind the last tensor")
    }
    return result
  }

  /// Where the data of a body begins, from its first 8 bytes.
  ///
  /// - Throws: ``SchemaError/Code/badBody`` when the body is too short for its header.
  public static func headerBytes(
    _ beginning: [UInt8], totalBytes: Int
  ) throws(SchemaError) -> Int {
    guard beginning.count >= 8, totalBytes >= 8 else {
      throw refused("\(min(beginning.count, totalBytes)) bytes; expected at least 8")
    }
    let length = UInt64(littleEndianBytes: beginning[0..<8])
    guard length >= 2, length <= UInt64(min(maximumHeaderBytes, totalBytes - 8)) else {
      throw refused(
        "header of \(length) bytes in a body of \(totalBytes); at most \(maximumHeaderBytes)")
    }
    return 8 + Int(length)
  }

  private static func refused(_ message: String) -> SchemaError {
    SchemaError(.badBody, "body: \(message)")
  }

  /// What a header says of one tensor.
  struct Entry: Decodable, Equatable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]
    var order: (Int, Int) { (data_offsets.first ?? 0, data_offsets.last ?? 0) }
  }

  /// Reads any header.
  static func parsed(
    _ bytes: ArraySlice<UInt8>, _ refused: (String) -> SchemaError = refused
  ) throws(SchemaError) -> [String: Entry] {
    do throws(SchemaError) {
      try JSONText.check(bytes, maximumDepth: 8)
    } catch {
      throw refused("its header: \(error.message)")
    }
    do {
      var entries: [String: Entry] = [:]
      let decoded = try JSONDecoder().decode([String: Lenient].self, from: Data(bytes))
      for (name, value) in decoded where name != "__metadata__" {
        guard let entry = value.entry else {
          throw refused("the entry of '\(name.prefix(64))' is broken")
        }
        entries[name] = entry
      }
      return entries
    } catch let error as SchemaError {
      throw error
    } catch {
      throw refused("its header is not JSON of the safetensors form")
    }
  }

  /// An entry, or nil for `__metadata__` and for what has another form.
  private struct Lenient: Decodable {
    let entry: Entry?
    init(from decoder: any Decoder) throws {
      do { entry = try Entry(from: decoder) } catch { entry = nil }
    }
  }

  private static func byteCount(_ shape: [Int], _ type: ElementType) -> Int? {
    var count = type.bytes
    for axis in shape {
      guard axis >= 0 else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: axis)
      guard !overflow, product < 1 << 40 else { return nil }
      count = product
    }
    return count
  }
}
