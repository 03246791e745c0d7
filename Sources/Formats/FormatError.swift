/// A data set that cannot be read or written.
public struct FormatError: Error, Sendable, Equatable {
  /// What kind of failure this is.
  public enum Code: String, Sendable {
    /// A file that the whole data set hangs on is missing, broken or of another kind.
    case badFile
    /// One item is broken; the others are not touched by it.
    case badItem
    /// A file or folder cannot be written.
    case unwritable
  }

  /// The kind of failure.
  public let code: Code
  /// One sentence: what failed, on which file, expected against found, what to do.
  public let message: String

  /// Creates an error.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

extension FormatError: CustomStringConvertible {
  /// `badItem: cat.png: …`.
  public var description: String { "\(code.rawValue): \(message)" }
}
