import Foundation

/// JSON as the protocol uses it: bounded in depth, keys in snake case, one spelling per value.
public enum JSONText {
  /// Checks that `bytes` nest no deeper than `maximumDepth`; says nothing about the rest.
  ///
  /// - Throws: ``SchemaError/Code/badJSON``.
  public static func check(
    _ bytes: some Collection<UInt8>, maximumDepth: Int
  ) throws(SchemaError) {
    var depth = 0
    var isInString = false
    var isEscaped = false
    for byte in bytes {
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        guard depth <= maximumDepth else {
          throw SchemaError(.badJSON, "JSON nests deeper than \(maximumDepth) levels")
        }
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      default: break
      }
    }
  }

  /// Writes a value: snake-case keys in alphabetical order, no white space.
  ///
  /// - Throws: ``SchemaError/Code/badJSON`` for a number that JSON has no text for.
  public static func encode(_ value: some Encodable) throws(SchemaError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return try Array(encoder.encode(value))
    } catch {
      throw SchemaError(.badJSON, "a value has no JSON text: \(error)")
    }
  }

  /// Reads a value; unknown keys are ignored.
  ///
  /// - Throws: ``SchemaError/Code/badJSON`` for text that is no JSON,
  ///   ``SchemaError/Code/invalidArgument`` naming the key for another shape, and
  ///   ``SchemaError/Code/badCategory`` for a category that breaks the naming rules.
  public static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: [UInt8]
  ) throws(SchemaError) -> Value {
    try check(bytes, maximumDepth: Limits.standard.maximumJsonDepth)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(type, from: Data(bytes))
    } catch let error as SchemaError {
      throw error
    } catch let error as DecodingError {
      throw described(error)
    } catch {
      throw SchemaError(.badJSON, "not JSON")
    }
  }

  private static func described(_ error: DecodingError) -> SchemaError {
    switch error {
    case .dataCorrupted(let context):
      if context.codingPath.isEmpty { return SchemaError(.badJSON, "not JSON") }
      return SchemaError(
        .invalidArgument, "\(path(context.codingPath)): \(context.debugDescription)")
    case .keyNotFound(let key, let context):
      return SchemaError(.invalidArgument, "\(path(context.codingPath + [key])) is missing")
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      return SchemaError(
        .invalidArgument, "\(path(context.codingPath)) is not \(spelled(type))")
    @unknown default:
      return SchemaError(.badJSON, "not JSON of the expected form")
    }
  }

  private static func path(_ keys: [any CodingKey]) -> String {
    let parts = keys.map { key in key.intValue.map { "[\($0)]" } ?? snake(key.stringValue) }
    return parts.isEmpty ? "the value" : parts.joined(separator: ".")
  }

  private static func snake(_ key: String) -> String {
    key.reduce(into: "") { text, character in
      if character.isUppercase { text += "_" }
      text += character.lowercased()
    }
  }

  private static func spelled(_ type: any Any.Type) -> String {
    switch type {
    case is Int.Type, is Int64.Type: "an integer"
    case is Double.Type, is Float.Type: "a number"
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    default: "\(type)".hasPrefix("Array") ? "a list" : "an object of the expected form"
    }
  }
}
