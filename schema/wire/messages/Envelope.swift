/// The identity that a caller gives its request: an integer or a string.
public enum RequestID: Sendable, Hashable, Codable {
  /// An integer.
  case number(Int64)
  /// A string of at most 64 bytes.
  case text(String)

  /// Decodes an integer or a string.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    // Nearly always a number, and the wrong guess costs a decoder's error.
    if let number = try? container.decode(Int64.self) {
      self = .number(number)
    } else if let text = try? container.decode(String.self) {
      guard text.utf8.count <= 64 else {
        throw SchemaError(
          .invalidArgument, "id has \(text.utf8.count) bytes; at most 64")
      }
      self = .text(text)
    } else {
      self = .number(try container.decode(Int64.self))
    }
  }

  /// Encodes as what it is.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .number(let number): try container.encode(number)
    case .text(let text): try container.encode(text)
    }
  }
}

/// The part of a request that names its method; the parameters are decoded once that is known.
public struct RequestHead: Decodable, Sendable {
  /// Always `2.0`.
  public let jsonrpc: String
  /// Absent on a notification.
  public let id: RequestID?
  /// Whether there is an id, were it null: a request, and no notification.
  public let isAnswered: Bool
  /// The method.
  public let method: String

  private enum CodingKeys: String, CodingKey {
    case jsonrpc, id, method
  }

  /// Tells an id that is missing from one that is null.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    jsonrpc = try container.decode(String.self, forKey: .jsonrpc)
    id = try container.decodeIfPresent(RequestID.self, forKey: .id)
    isAnswered = container.contains(.id)
    method = try container.decode(String.self, forKey: .method)
  }
}

/// A request with its parameters.
public struct Request<Params: Codable & Sendable>: Codable, Sendable {
  /// Always `2.0`.
  public var jsonrpc = "2.0"
  /// Comes back with the answer; absent on a notification.
  public var id: RequestID?
  /// The method.
  public var method: String
  /// What the method takes.
  public var params: Params

  /// Creates a request.
  public init(id: RequestID?, method: String, params: Params) {
    self.id = id
    self.method = method
    self.params = params
  }
}

/// The parameters of a request whose method is known.
public struct RequestParams<Params: Decodable & Sendable>: Decodable, Sendable {
  /// Absent when the caller left them out.
  public let params: Params?
}

/// The answer to a request.
public struct Response<Result: Codable & Sendable>: Codable, Sendable {
  /// Always `2.0`.
  public var jsonrpc = "2.0"
  /// The id of the request; null when it could not be read.
  public var id: RequestID?
  /// What the method answers.
  public var result: Result

  /// Creates an answer.
  public init(id: RequestID?, result: Result) {
    self.id = id
    self.result = result
  }
}

/// What is wrong, as JSON-RPC 2.0 spells it.
public struct ErrorObject: Codable, Sendable, Equatable {
  /// The facts that a program acts on.
  public struct Details: Codable, Sendable, Equatable {
    /// The stable word.
    public var word: String
    /// Milliseconds after which asking again makes sense.
    public var retryAfterMilliseconds: Int?

    /// Creates details.
    public init(word: String, retryAfterMilliseconds: Int? = nil) {
      self.word = word
      self.retryAfterMilliseconds = retryAfterMilliseconds
    }
  }

  /// The JSON-RPC code of the word.
  public var code: Int
  /// One sentence for a person.
  public var message: String
  /// The facts for a program.
  public var data: Details

  /// Creates an error object.
  public init(_ word: ErrorWord, _ message: String, retryAfterMilliseconds: Int? = nil) {
    code = word.code
    self.message = message
    data = Details(word: word.rawValue, retryAfterMilliseconds: retryAfterMilliseconds)
  }
}

/// The answer to a request that failed.
public struct ErrorResponse: Codable, Sendable {
  /// Always `2.0`.
  public var jsonrpc = "2.0"
  /// The id of the request; null when it could not be read.
  public var id: RequestID?
  /// What is wrong.
  public var error: ErrorObject

  /// Creates an error answer.
  public init(id: RequestID?, error: ErrorObject) {
    self.id = id
    self.error = error
  }

  /// Encodes a missing id as null, as JSON-RPC 2.0 demands (section 5).
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(jsonrpc, forKey: .jsonrpc)
    try container.encode(id, forKey: .id)
    try container.encode(error, forKey: .error)
  }
}

/// What every incoming message of a client is looked at for first.
public struct ResponseHead: Decodable, Sendable {
  /// The request that is answered; absent on a notification.
  public let id: RequestID?
  /// Present on a notification.
  public let method: String?
  /// Present when the request failed.
  public let error: ErrorObject?
}

/// How far a waiting request is; sent as the notification `progress`.
public struct JobProgress: Codable, Sendable, Equatable {
  /// The request that waits.
  public var request: RequestID
  /// The jobs it waits for.
  public var jobs: [JobInfo]
  /// Bytes that are dealt with, of a request that goes through the store.
  public var doneBytes: Int?
  /// Bytes that there are to deal with.
  public var totalBytes: Int?

  /// Creates a progress report.
  public init(
    request: RequestID, jobs: [JobInfo] = [], doneBytes: Int? = nil, totalBytes: Int? = nil
  ) {
    self.request = request
    self.jobs = jobs
    self.doneBytes = doneBytes
    self.totalBytes = totalBytes
  }
}
