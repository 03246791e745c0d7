/// A value or a byte sequence from outside that breaks the contract written in `schema/`.
public struct SchemaError: Error, Sendable, Equatable {
  /// What kind of failure this is; each maps to one ``ErrorWord`` on the wire.
  public enum Code: String, Sendable {
    /// A frame header, or the bytes behind it, break the frame layout.
    case badFrame
    /// The text is not JSON, nests too deeply, or lacks what JSON-RPC demands.
    case badJSON
    /// A body is not a well-formed safetensors file, or holds other tensors than agreed.
    case badBody
    /// A category name is outside the rules of ``CategoryName``.
    case badCategory
    /// Any other value is outside its documented range.
    case invalidArgument
  }

  /// The kind of failure.
  public let code: Code
  /// One sentence: what failed, where, expected against found, and what to do.
  public let message: String

  /// Creates an error.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

extension SchemaError: CustomStringConvertible {
  /// `badFrame: …`.
  public var description: String { "\(code.rawValue): \(message)" }
}
