/// Text in the OpenMetrics format, version 1.0
/// (<https://github.com/OpenObservability/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>).
struct OpenMetricsText {
  /// What a family of samples is.
  enum Kind: String {
    case counter
    case gauge
    case info
  }

  /// The type of an HTTP answer that holds such text.
  static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

  private var text = ""

  /// Adds a family with one sample for each set of labels.
  ///
  /// - Parameters:
  ///   - name: without `groundwell_`; a unit is its last word.
  ///   - unit: `seconds` or `bytes`, which `name` must end with.
  mutating func add(
    _ kind: Kind, _ name: String, unit: String? = nil, _ help: String,
    _ samples: [(labels: [(name: String, value: String)], value: Double)]
  ) {
    let family = "groundwell_\(name)"
    text += "# TYPE \(family) \(kind.rawValue)\n"
    if let unit { text += "# UNIT \(family) \(unit)\n" }
    text += "# HELP \(family) \(Self.escaped(help))\n"
    let suffix =
      switch kind {
      case .counter: "_total"
      case .gauge: ""
      case .info: "_info"
      }
    for sample in samples {
      text += family + suffix + Self.labels(sample.labels) + " \(Self.number(sample.value))\n"
    }
  }

  /// Adds a family of one sample.
  mutating func add(
    _ kind: Kind, _ name: String, unit: String? = nil, _ help: String, _ value: Double
  ) {
    add(kind, name, unit: unit, help, [([], value)])
  }

  /// The whole, with its end mark.
  var finished: String { text + "# EOF\n" }

  private static func labels(_ labels: [(name: String, value: String)]) -> String {
    guard !labels.isEmpty else { return "" }
    let pairs = labels.map { "\($0.name)=\"\(escaped($0.value))\"" }
    return "{\(pairs.joined(separator: ","))}"
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n").replacing("\"", with: "\\\"")
  }

  /// Whole numbers without a fraction.
  private static func number(_ value: Double) -> String {
    if let whole = Int64(exactly: value) { return "\(whole)" }
    return "\(value)"
  }
}
