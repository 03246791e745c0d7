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
    return try JSONDecoder().decode(type, from: json)
  } catch {
    throw GeneratorError(.badConfiguration, "\(file): not as expected", cause: error)
  }
}

/// The keys of the outermost object.
func jsonKeys(_ json: Data, file: String) throws(GeneratorError) -> Set<String> {
  struct Anything: Decodable { init(from decoder: any Decoder) {} }
  return Set(try decodeConfiguration([String: Anything].self, json, file: file).keys)
}
