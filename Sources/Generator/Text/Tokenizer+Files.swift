import Foundation

extension Tokenizer {
  /// Reads the tokenizer of a model directory: `vocab.json` and `merges.txt`, or `tokenizer.json`
  /// alone; the padding token from `tokenizer_config.json` or `special_tokens_map.json`.
  ///
  /// - Throws: ``GeneratorError/Code/badConfiguration``.
  package init(directory: String) throws(GeneratorError) {
    let padding = try Self.paddingToken(directory)
    let vocabularyPath = directory + "/vocab.json"
    if FileManager.default.fileExists(atPath: vocabularyPath) {
      let vocabulary = try decodeConfiguration(
        [String: Int32].self, Self.contents(vocabularyPath), file: vocabularyPath)
      try self.init(
        vocabulary: vocabulary, merges: Self.merges(directory + "/merges.txt"),
        padToken: padding, name: directory)
      return
    }
    let path = directory + "/tokenizer.json"
    guard FileManager.default.fileExists(atPath: path) else {
      throw GeneratorError(
        .badConfiguration,
        "\(directory): neither vocab.json with merges.txt nor tokenizer.json is there")
    }
    let file = try decodeConfiguration(TokenizerFile.self, Self.contents(path), file: path)
    var vocabulary = file.model.vocab
    for token in file.added_tokens ?? [] { vocabulary[token.content] = token.id }
    try self.init(
      vocabulary: vocabulary, merges: file.model.merges.map { ($0.left, $0.right) },
      padToken: padding, name: path)
  }

  private struct TokenizerFile: Decodable {
    struct Model: Decodable {
      let vocab: [String: Int32]
      let merges: [Merge]
    }
    struct Added: Decodable {
      let id: Int32
      let content: String
    }
    let model: Model
    let added_tokens: [Added]?
  }

  /// `"a b"` in older files, `["a", "b"]` in newer ones.
  private struct Merge: Decodable {
    let left: String
    let right: String

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      let parts: [String]
      if let text = try? container.decode(String.self) {
        parts = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      } else {
        parts = try container.decode([String].self)
      }
      guard parts.count == 2 else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "a merge of \(parts.count) parts")
      }
      (left, right) = (parts[0], parts[1])
    }
  }

  private static func merges(_ path: String) throws(GeneratorError) -> [(String, String)] {
    guard let text = String(validating: try contents(path), as: UTF8.self) else {
      throw GeneratorError(.badConfiguration, "\(path): not UTF-8")
    }
    var merges: [(String, String)] = []
    for (number, line) in text.split(separator: "\n").enumerated()
    where !(number == 0 && line.hasPrefix("#version")) {
      let parts = line.split(separator: " ")
      guard parts.count == 2 else {
        throw GeneratorError(
          .badConfiguration, "\(path): line \(number + 1) is not a pair of symbols")
      }
      merges.append((String(parts[0]), String(parts[1])))
    }
    return merges
  }

  private static func paddingToken(_ directory: String) throws(GeneratorError) -> String? {
    struct Content: Decodable {
      let text: String

      init(from decoder: any Decoder) throws {
        struct Whole: Decodable { let content: String }
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
          self.text = text
        } else {
          text = try container.decode(Whole.self).content
        }
      }
    }
    struct Settings: Decodable { let pad_token: Content? }
    for name in ["special_tokens_map.json", "tokenizer_config.json"] {
      let path = directory + "/" + name
      guard FileManager.default.fileExists(atPath: path) else { continue }
      let settings = try decodeConfiguration(Settings.self, contents(path), file: path)
      if let token = settings.pad_token?.text { return token }
    }
    return nil
  }

  private static func contents(_ path: String) throws(GeneratorError) -> Data {
    let file = try MappedFile(path: path)
    guard file.count <= maximumFileBytes else {
      throw GeneratorError(
        .badConfiguration,
        "\(path): \(file.count) bytes; at most \(maximumFileBytes) are allowed")
    }
    return Data(file.bytes(0..<file.count))
  }
}
