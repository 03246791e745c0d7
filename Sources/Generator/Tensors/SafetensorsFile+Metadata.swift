import Foundation

extension SafetensorsFile {
  /// The texts of the header's `__metadata__`; empty where there are none.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint`` when they are not texts by name.
  package func metadata() throws(GeneratorError) -> [String: String] {
    struct Header: Decodable {
      let metadata: [String: String]?
      enum CodingKeys: String, CodingKey { case metadata = "__metadata__" }
    }
    let length = file.bytes(0..<8).reversed().reduce(0) { $0 << 8 | Int($1) }
    do {
      let header = try JSONDecoder().decode(
        Header.self, from: Data(file.bytes(8..<8 + length)))
      return header.metadata ?? [:]
    } catch {
      throw GeneratorError(
        .badCheckpoint, "\(file.path): its metadata is not a table of texts", cause: error)
    }
  }
}
