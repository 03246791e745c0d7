import Schema
import Store
import Wire

/// A failure that the daemon answers to a client, or that keeps it from starting.
struct DaemonError: Error, Sendable {
  /// The stable word that goes over the wire.
  let word: ErrorWord
  /// One sentence: what failed, on what, expected against found, what to do.
  let message: String
  /// Milliseconds after which asking again makes sense.
  let retryAfterMilliseconds: Int?
  /// The error below this one, if there was one.
  let cause: (any Error)?

  init(
    _ word: ErrorWord, _ message: String, retryAfterMilliseconds: Int? = nil,
    cause: (any Error)? = nil
  ) {
    self.word = word
    self.message = message
    self.retryAfterMilliseconds = retryAfterMilliseconds
    self.cause = cause
  }

  /// What goes over the wire.
  var object: ErrorObject {
    ErrorObject(word, message, retryAfterMilliseconds: retryAfterMilliseconds)
  }

  /// What an error of the store means to a client.
  init(_ error: StoreError) {
    let word: ErrorWord =
      switch error.code {
      case .locked, .newerVersion, .unwritable, .catalogDamaged: .storeUnwritable
      case .corrupt: .tripletCorrupt
      case .invalidArgument: .invalidParams
      case .categoryUnknown: .categoryUnknown
      case .tripletUnknown: .tripletUnknown
      case .jobUnknown: .jobUnknown
      case .itemUnknown: .itemUnknown
      case .tokenStale: .tokenStale
      case .snapshotGone: .snapshotGone
      case .moved: .internalError
      case .full: .storeFull
      case .busy: .overQuota
      }
    let retry = error.code == .busy ? 5000 : nil
    self.init(word, error.message, retryAfterMilliseconds: retry, cause: error)
  }

  /// What a broken message means to a client.
  init(_ error: SchemaError) {
    let word: ErrorWord =
      switch error.code {
      case .badFrame: .badFrame
      case .badJSON: .parseError
      case .badBody: .badBody
      case .badCategory: .categoryInvalid
      case .invalidArgument: .invalidParams
      }
    self.init(word, error.message, cause: error)
  }

  /// Any failure, given a word.
  init(any error: any Error) {
    switch error {
    case let error as DaemonError: self = error
    case let error as StoreError: self.init(error)
    case let error as SchemaError: self.init(error)
    case is CancellationError: self.init(.stopping, "the connection was closed", cause: error)
    default: self.init(.internalError, "the daemon failed: \(error)", cause: error)
    }
  }
}

extension DaemonError: CustomStringConvertible {
  var description: String { message }
}
