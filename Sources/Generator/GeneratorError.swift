/// A failure of the generator that a caller can act on.
///
/// Wrong shapes inside an engine or a network are bugs and trap; this type is for what comes from
/// outside: sprites, work items, options, checkpoint files, prompts, configuration, cancellation.
public struct GeneratorError: Error, Sendable {
  /// What kind of failure this is.
  public enum Code: String, Sendable {
    /// A folder of sprites is missing, empty, or holds something that is no sprite.
    case badSprites
    /// No sprite shows that category.
    case categoryUnknown
    /// A prompt, a work item or an option is outside its documented range.
    case invalidArgument
    /// A check of the engine's own work found a difference.
    case inexact
    /// A checkpoint lacks a tensor, or has one of another shape or element type.
    case badCheckpoint
    /// A configuration file is missing, malformed, or describes a model that is not supported.
    case badConfiguration
    /// A file could not be read or written.
    case fileAccess
    /// Training came to a loss or a gradient that is not a number.
    case diverged
    /// The caller cancelled between two denoising steps.
    case cancelled
  }

  /// The kind of failure.
  public let code: Code
  /// One sentence: what failed, on which file or key, expected against found, what to do.
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

extension GeneratorError: CustomStringConvertible {
  /// `badSprites: sprites/cat: …` followed by the cause in parentheses.
  public var description: String {
    guard let cause else { return "\(code.rawValue): \(message)" }
    return "\(code.rawValue): \(message) (\(cause))"
  }
}
