import Schema

/// A request whose method is known and whose parameters are not yet read.
struct IncomingRequest: Sendable {
  let id: RequestID
  let method: String
  let json: [UInt8]
  let body: [UInt8]

  /// Reads the parameters, runs the method, and writes the answer.
  func answer<M: Method>(
    _ method: M.Type, isolation: isolated (any Actor)? = #isolation,
    _ run: (M.Params) async throws -> M.Result
  ) async throws -> WireFrame {
    try await answerWithBody(method) { (try await run($0), []) }
  }

  /// The same for a method whose answer has a body.
  func answerWithBody<M: Method>(
    _ method: M.Type, isolation: isolated (any Actor)? = #isolation,
    _ run: (M.Params) async throws -> (result: M.Result, body: [UInt8])
  ) async throws -> WireFrame {
    let (result, body) = try await run(try params(method))
    return try frame(method, result, body)
  }

  /// The answer with `result`.
  func frame<M: Method>(
    _ method: M.Type, _ result: M.Result, _ body: [UInt8] = []
  ) throws -> WireFrame {
    WireFrame(json: try JSONText.encode(Response(id: id, result: result)), body: body)
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
