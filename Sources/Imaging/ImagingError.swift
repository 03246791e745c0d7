/// A failure of reading, writing or laying out a picture.
public struct ImagingError: Error, Sendable {
  /// What kind of failure this is.
  public enum Code: String, Sendable {
    /// The bytes are not a PNG, or the PNG is truncated or broken.
    case badPNG
    /// The picture has more pixels than this module takes.
    case tooLarge
    /// A file cannot be read or written.
    case badFile
    /// An option is outside its documented range.
    case invalidArgument
  }

  /// The kind of failure.
  public let code: Code
  /// One sentence: what failed, on which file, expected against found, what to do.
  public let message: String
  /// The error below this one, if there was one.
  public let cause: (any Error)?

  /// Creates an error.
  public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }
}

extension ImagingError: CustomStringConvertible {
  /// `badPNG: cat.png: …` followed by the cause in parentheses.
  public var description: String {
    guard let cause else { return "\(code.rawValue): \(message)" }
    return "\(code.rawValue): \(message) (\(cause))"
  }
}
