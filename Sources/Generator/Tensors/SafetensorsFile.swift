import Foundation

/// A safetensors file: eight bytes of header length, a JSON header, raw little-endian values.
///
/// Format: <https://huggingface.co/docs/safetensors>. Everything in the header is checked against
/// the length of the file before a value is touched.
package struct SafetensorsFile: Sendable {
  /// A header is at most this many bytes, the limit of the reference reader.
  package static let maximumHeaderBytes = 100_000_000
  /// A tensor has at most this many axes.
  package static let maximumAxisCount = 16

  /// What the header says of one tensor.
  package struct Entry: Sendable {
    /// Element type as written, such as `F32`.
    package let elementType: String
    /// Lengths of the axes, outermost first.
    package let shape: [Int]
    /// Where the values lie, in bytes from the start of the file.
    package let range: Range<Int>
  }

  /// Tensors by name, all element types.
  package let entries: [String: Entry]
  let file: MappedFile

  /// Maps and checks the file at `path`.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess``, ``GeneratorError/Code/badCheckpoint``.
  package init(path: String) throws(GeneratorError) {
    file = try MappedFile(path: path)
    guard file.count >= 8 else {
      throw GeneratorError(.badCheckpoint, "\(path): \(file.count) bytes; a header needs 8")
    }
    let length = file.bytes(0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(Self.maximumHeaderBytes) else {
      throw GeneratorError(
        .badCheckpoint,
        "\(path): a header of \(length) bytes; at most \(Self.maximumHeaderBytes) are allowed")
    }
    let end = 8 + Int(length)
    guard end <= file.count else {
      throw GeneratorError(
        .badCheckpoint,
        "\(path): truncated: a header of \(length) bytes in a file of \(file.count)")
    }
    entries = try Self.entries(
      header: file.bytes(8..<end), dataStart: end, fileBytes: file.count, name: path)
  }

  /// Reads a header whose values start at byte `dataStart` of a file of `fileBytes` bytes.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint``.
  package static func entries(
    header: [UInt8], dataStart: Int, fileBytes: Int, name: String
  ) throws(GeneratorError) -> [String: Entry] {
    let parsed: [String: HeaderEntry]
    do {
      parsed = try JSONDecoder().decode([String: HeaderEntry].self, from: Data(header))
    } catch {
      throw GeneratorError(.badCheckpoint, "\(name): the header is not a tensor table: \(error)")
    }
    var entries: [String: Entry] = [:]
    for (key, value) in parsed where key != "__metadata__" {
      entries[key] = try entry(value, "\(name): '\(key)'", dataStart, fileBytes)
    }
    let ordered = entries.sorted { $0.value.range.lowerBound < $1.value.range.lowerBound }
    for (left, right) in zip(ordered, ordered.dropFirst())
    where left.value.range.upperBound > right.value.range.lowerBound && !right.value.range.isEmpty {
      throw GeneratorError(
        .badCheckpoint, "\(name): '\(left.key)' and '\(right.key)' overlap in the file")
    }
    return entries
  }

  private static func entry(
    _ value: HeaderEntry, _ what: String, _ dataStart: Int, _ fileBytes: Int
  ) throws(GeneratorError) -> Entry {
    guard let type = value.dtype, let shape = value.shape, let offsets = value.offsets else {
      throw GeneratorError(.badCheckpoint, "\(what) lacks dtype, shape or data_offsets")
    }
    guard let elementBytes = bytes[type] else {
      throw GeneratorError(.badCheckpoint, "\(what) has the unknown element type '\(type)'")
    }
    guard shape.count <= maximumAxisCount, shape.allSatisfy({ $0 >= 0 }) else {
      throw GeneratorError(.badCheckpoint, "\(what) has the shape \(shape.prefix(20))")
    }
    guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1],
      offsets[1] <= fileBytes - dataStart
    else {
      throw GeneratorError(
        .badCheckpoint,
        "\(what) lies at \(offsets.prefix(4)) of \(fileBytes - dataStart) bytes of values; "
          + "the file is truncated or its header wrong")
    }
    var needed = elementBytes
    for length in shape {
      let (product, overflow) = needed.multipliedReportingOverflow(by: length)
      guard !overflow else {
        throw GeneratorError(.badCheckpoint, "\(what) has the shape \(shape)")
      }
      needed = product
    }
    guard needed == offsets[1] - offsets[0] else {
      throw GeneratorError(
        .badCheckpoint,
        "\(what): \(type) \(shape) needs \(needed) bytes, the header gives "
          + "\(offsets[1] - offsets[0])")
    }
    return Entry(
      elementType: type, shape: shape, range: dataStart + offsets[0]..<dataStart + offsets[1])
  }

  private static let bytes: [String: Int] = [
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
  ]
}

/// One value of the header: a tensor, or the metadata, which has none of these keys.
private struct HeaderEntry: Decodable {
  let dtype: String?
  let shape: [Int]?
  let offsets: [Int]?

  enum CodingKeys: String, CodingKey {
    case dtype, shape
    case offsets = "data_offsets"
  }
}
