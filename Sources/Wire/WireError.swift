public import Schema

/// A failure on the way to or from the daemon, or an error that the daemon answered.
public struct WireError: Error, Sendable {
  /// What kind of failure this is.
  public enum Code: String, Sendable {
    /// Nobody listens on the socket, or it cannot be reached.
    case unreachable
    /// The other side closed the connection.
    case closed
    /// The other side broke the protocol.
    case badProtocol
    /// No answer came in time.
    case timedOut
    /// The system refused a call; the message has its name and reason.
    case system
    /// The daemon answered with an error; `word` says which.
    case refused
  }

  /// The kind of failure.
  public let code: Code
  /// One sentence: what failed, on which socket or request, and what to do.
  public let message: String
  /// The daemon's stable word, when it answered with an error of this protocol version.
  public let word: ErrorWord?
  /// The error below this one, if there was one.
  public let cause: (any Error)?

  /// Creates an error.
  public init(
    _ code: Code, _ message: String, word: ErrorWord? = nil, cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.word = word
    self.cause = cause
  }

  /// A refused system call, with the reason that `errno` gives.
  static func system(_ call: String, _ subject: String, errno number: Int32) -> WireError {
    WireError(.system, "\(call) failed on \(subject): \(systemReason(number))")
  }
}

extension WireError: CustomStringConvertible {
  /// The message, with the daemon's word where there is one.
  public var description: String { word.map { "\(message) (\($0.rawValue))" } ?? message }
}
