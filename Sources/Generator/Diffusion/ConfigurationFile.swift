import Foundation

/// A configuration file is at most this many bytes.
private let maximumConfigurationBytes = 1 << 20

/// The bytes of a configuration file.
///
/// - Throws: ``GeneratorError/Code/badConfiguration`` when it is missing or too long.
func readConfiguration(_ path: String) throws(GeneratorError) -> Data {
  let data: Data
  do {
    data = try Data(contentsOf: URL(fileURLWithPath: path))
  } catch {
    throw GeneratorError(.badConfiguration, "\(path): could not be read", cause: error)
  }
  guard data.count <= maximumConfigurationBytes else {
    throw GeneratorError(
      .badConfiguration,
      "\(path): \(data.count) bytes; at most \(maximumConfigurationBytes) are allowed")
  }
  return data
}

/// Decodes a configuration.
///
/// - Throws: ``GeneratorError/Code/badConfiguration``.
func decodeConfiguration<T: Decodable>(
  _ type: T.Type, _ json: Data, file: String
) throws(GeneratorError) -> T {
  do {
    return try JSONDecoder().decode(type, from: withoutPythonNumbers(json))
  } catch {
    throw GeneratorError(.badConfiguration, "\(file): not as expected", cause: error)
  }
}

/// The keys of the outermost object.
func jsonKeys(_ json: Data, file: String) throws(GeneratorError) -> Set<String> {
  struct Anything: Decodable { init(from decoder: any Decoder) {} }
  return Set(try decodeConfiguration([String: Anything].self, json, file: file).keys)
}

/// Replaces `NaN`, `Infinity` and `-Infinity` outside strings by `null`.
///
/// Python writes them (`lambda_min_clipped` of every DPM-Solver configuration is one); JSON has no
/// such numbers.
private func withoutPythonNumbers(_ json: Data) -> Data {
  let words = ["-Infinity", "Infinity", "NaN"].map { Array($0.utf8) }
  let bytes = Array(json)
  var result: [UInt8] = []
  var isInString = false
  var index = 0
  while index < bytes.count {
    let byte = bytes[index]
    if isInString, byte == UInt8(ascii: "\\"), index + 1 < bytes.count {
      result += bytes[index...index + 1]
      index += 2
      continue
    }
    if byte == UInt8(ascii: "\"") { isInString.toggle() }
    if !isInString, let word = words.first(where: { bytes[index...].starts(with: $0) }) {
      result += "null".utf8
      index += word.count
    } else {
      result.append(byte)
      index += 1
    }
  }
  return Data(result)
}
