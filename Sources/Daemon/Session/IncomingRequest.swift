import Schema

/// A request whose method is known and whose parameters are not yet read.
struct IncomingRequest: Sendable {
  /// A text of more bytes is read and written on the pool: its connection's loop has others to serve.
  static let shortBytes = 16 << 10

  let id: RequestID
  let method: String
  let json: [UInt8]
  let body: [UInt8]
  let pool: WorkPool

  /// Reads the parameters, runs the method, and writes the answer.
  ///
  /// - Parameter isLong: whether the answer may be a long list.
  func answer<M: Method>(
    _ method: M.Type, isLong: Bool = false, isolation: isolated (any Actor)? = #isolation,
    _ run: (M.Params) async throws -> M.Result
  ) async throws -> WireFrame {
    let result = try await run(try await paramsOfAnyLength(method))
    guard isLong else { return try frame(method, result) }
    return try await withTaskExecutorPreference(pool) { try frame(method, result) }
  }

  /// The same for a method whose answer has a body.
  func answerWithBody<M: Method>(
    _ method: M.Type, isolation: isolated (any Actor)? = #isolation,
    _ run: (M.Params) async throws -> (result: M.Result, body: [UInt8])
  ) async throws -> WireFrame {
    let (result, body) = try await run(try await paramsOfAnyLength(method))
    return try frame(method, result, body)
  }

  /// The answer with `result`.
  func frame<M: Method>(
    _ method: M.Type, _ result: M.Result, _ body: [UInt8] = []
  ) throws -> WireFrame {
    WireFrame(json: try JSONText.encode(Response(id: id, result: result)), body: body)
  }

  /// Reads the parameters of a method, elsewhere when they are long.
  func paramsOfAnyLength<M: Method>(
    _ method: M.Type, isolation: isolated (any Actor)? = #isolation
  ) async throws -> M.Params {
    guard json.count > Self.shortBytes else { return try params(method) }
    return try await withTaskExecutorPreference(pool) { try params(method) }
  }

  /// Reads the parameters of a method, for one that writes its answer itself.
  func params<M: Method>(_ method: M.Type) throws -> M.Params {
    do throws(SchemaError) {
      if let params = try JSONText.decode(RequestParams<M.Params>.self, from: json).params {
        return params
      }
    } catch {
      // The text was read once already, so it is JSON: a number in it is not what it should be.
      guard error.code == .badJSON else { throw error }
      throw DaemonError(
        .invalidParams,
        "params: a number is too large, or not the integer that it should be", cause: error)
    }
    // A method whose parameters are all optional may be called without any.
    return try JSONText.decode(M.Params.self, from: Array("{}".utf8))
  }
}
