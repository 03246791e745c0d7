import Schema
import Testing

/// The words and codes that clients rely on, frozen.
@Suite struct ErrorWordTests {
  /// Never change a row and never use a code again; add rows for new words.
  static let frozen: [(word: String, code: Int)] = [
    ("parse_error", -32700), ("invalid_request", -32600), ("method_unknown", -32601),
    ("invalid_params", -32602), ("internal_error", -32603), ("bad_frame", -32000),
    ("bad_body", -32001), ("hello_required", -32002), ("protocol_unsupported", -32003),
    ("frames_required", -32004), ("category_invalid", -32010), ("category_unknown", -32011),
    ("category_thin", -32012), ("split_unknown", -32013), ("triplet_unknown", -32020),
    ("triplet_corrupt", -32021), ("job_unknown", -32030), ("item_unknown", -32031),
    ("token_stale", -32032), ("stream_unknown", -32040), ("snapshot_gone", -32041),
    ("unsupported", -32050), ("over_quota", -32060), ("deadline_reached", -32061),
    ("store_unwritable", -32070), ("store_full", -32072), ("stopping", -32071),
  ]

  @Test("words and codes are what they have always been")
  func isFrozen() {
    #expect(ErrorWord.allCases.map(\.rawValue) == Self.frozen.map(\.word))
    #expect(ErrorWord.allCases.map(\.code) == Self.frozen.map(\.code))
  }

  @Test("no two words share a code, and every code is one that JSON-RPC leaves to servers")
  func isUnique() {
    #expect(Set(ErrorWord.allCases.map(\.code)).count == ErrorWord.allCases.count)
    let predefined: Set = [-32700, -32600, -32601, -32602, -32603]
    #expect(
      ErrorWord.allCases.allSatisfy {
        predefined.contains($0.code) || (-32099 ... -32000).contains($0.code)
      })
  }

  @Test("an error object carries word, code, message and the time to ask again")
  func encodes() throws {
    let text = try JSONText.encode(ErrorObject(.overQuota, "full", retryAfterMilliseconds: 5))
    #expect(
      String(decoding: text, as: UTF8.self)
        == #"{"code":-32060,"data":{"retry_after_milliseconds":5,"word":"over_quota"},"message":"full"}"#
    )
  }

  @Test("a schema error says its code and its message")
  func describes() {
    #expect("\(SchemaError(.badFrame, "too long"))" == "badFrame: too long")
  }
}
