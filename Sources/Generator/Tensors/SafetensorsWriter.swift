import Foundation

/// Writes safetensors files.
///
/// Format: <https://huggingface.co/docs/safetensors>. The same tensors and metadata always give the
/// same bytes.
package enum SafetensorsWriter {
  /// How values are stored.
  package enum Precision: String, Sendable {
    case float32 = "F32"
    case float16 = "F16"

    var bytes: Int { self == .float32 ? 4 : 2 }
  }

  /// Replaces the file at `path`, or leaves it as it was.
  ///
  /// - Parameter tensors: in the order in which their values lie in the file.
  /// - Throws: ``GeneratorError/Code/fileAccess``.
  package static func write(
    _ tensors: [(name: String, value: Tensor)], metadata: [String: String],
    precision: Precision = .float32, to path: String
  ) throws(GeneratorError) {
    let bytes = encode(tensors, metadata: metadata, precision: precision)
    do {
      // Written aside, then renamed.
      try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw GeneratorError(.fileAccess, "\(path): could not write it", cause: error)
    }
  }

  /// The bytes of a file.
  ///
  /// - Precondition: names differ.
  package static func encode(
    _ tensors: [(name: String, value: Tensor)], metadata: [String: String],
    precision: Precision = .float32
  ) -> [UInt8] {
    precondition(Set(tensors.map(\.name)).count == tensors.count, "a tensor name is there twice")
    var entries: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0)):\(quoted($1))" }
      entries.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    var offset = 0
    for (name, value) in tensors {
      let end = offset + value.count * precision.bytes
      let axes = value.shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(quoted(name)):{\"dtype\":\"\(precision.rawValue)\",\"shape\":[\(axes)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: 0x20, count: (64 - (8 + header.count) % 64) % 64)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 + header.count + offset)
    for shift in 0..<8 { bytes.append(UInt8(header.count >> (8 * shift) & 0xFF)) }
    bytes += header
    for (_, value) in tensors { append(value, precision, to: &bytes) }
    return bytes
  }

  private static func append(_ tensor: Tensor, _ precision: Precision, to bytes: inout [UInt8]) {
    for value in tensor.values {
      switch precision {
      case .float32:
        let bits = value.bitPattern
        for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
      case .float16:
        let bits = Float16(value).bitPattern
        bytes.append(UInt8(truncatingIfNeeded: bits))
        bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
      }
    }
  }

  /// A JSON string.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
