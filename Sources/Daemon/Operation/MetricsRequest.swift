/// One HTTP request for figures, as far as it matters: the smallest server that a scraper needs.
struct MetricsRequest {
  /// Bytes of a request line and its headers.
  static let maximumBytes = 8192

  /// What is answered.
  struct Answer: Equatable {
    let status: String
    let headers: [String]
    let body: String
    let hasBody: Bool

    /// The bytes of the answer; the connection ends behind them.
    var bytes: [UInt8] {
      let lines =
        ["HTTP/1.1 \(status)", "Connection: close", "Cache-Control: no-store"] + headers
        + ["Content-Length: \(body.utf8.count)", "", ""]
      return Array((lines.joined(separator: "\r\n") + (hasBody ? body : "")).utf8)
    }

    /// An answer that is a sentence.
    static func refusal(_ status: String, _ sentence: String, _ headers: [String] = []) -> Answer {
      Answer(
        status: status, headers: ["Content-Type: text/plain; charset=utf-8"] + headers,
        body: sentence + "\n", hasBody: true)
    }
  }

  private let lines: [Substring]

  /// A request whose end has come; nil while more must be read.
  init?(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
    guard let end = text.firstRange(of: "\n\n") else { return nil }
    lines = text[..<end.lowerBound].split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// The answer.
  ///
  /// - Parameter checksHost: whether the request must name this machine. A page in a browser could
  ///   otherwise read a local port under a name of its own (DNS rebinding).
  func answer(checksHost: Bool, figures: () -> String) -> Answer {
    let words = (lines.first ?? "").split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2].hasPrefix("HTTP/") else {
      return .refusal("400 Bad Request", "expected 'GET /metrics HTTP/1.1'")
    }
    guard words[2].hasPrefix("HTTP/1.") else {
      return .refusal("505 HTTP Version Not Supported", "expected HTTP/1.0 or HTTP/1.1")
    }
    guard words[0] == "GET" || words[0] == "HEAD" else {
      return .refusal(
        "405 Method Not Allowed", "figures can be read and nothing else", ["Allow: GET, HEAD"])
    }
    guard !checksHost || namesThisMachine else {
      return .refusal("403 Forbidden", "the Host header names another machine than this one")
    }
    let path = words[1].prefix { $0 != "?" }
    guard path == "/metrics" else {
      return .refusal("404 Not Found", "there is nothing but /metrics")
    }
    return Answer(
      status: "200 OK", headers: ["Content-Type: \(OpenMetricsText.contentType)"],
      body: figures(), hasBody: words[0] == "GET")
  }

  private var namesThisMachine: Bool {
    let hosts = lines.dropFirst().filter { $0.lowercased().hasPrefix("host:") }
    guard hosts.count <= 1 else { return false }
    // HTTP/1.0 needs none, and no browser sends it.
    guard let line = hosts.first else { return true }
    let host = line.dropFirst(5).trimmingPrefix(while: \.isWhitespace).lowercased()
    let name = host.hasPrefix("[") ? host.prefix { $0 != "]" } + "]" : host.prefix { $0 != ":" }
    return ["127.0.0.1", "localhost", "[::1]"].contains(String(name))
  }
}
