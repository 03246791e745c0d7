import Logging
import Schema

/// One thing that can be set: its name, its range, and where it may come from.
struct Setting {
  /// What kind of value it takes, and where that lies.
  enum Kind {
    /// An integer of a range.
    case integer(WritableKeyPath<DaemonSettings, Int>, ClosedRange<Int>)
    /// One of several words.
    case choice(WritableKeyPath<DaemonSettings, String>, [String])
    /// Any text for which the closure has no complaint, such as "expected a path".
    case text(WritableKeyPath<DaemonSettings, String>, (String) -> String?)
  }

  /// The table of the file.
  let section: String
  /// The key in it.
  let name: String
  /// The option of the command line, beside `--set`.
  let option: String?
  let kind: Kind
  /// Whether SIGHUP changes it; otherwise it waits for the next start.
  let isLive: Bool

  /// `workers.count`.
  var key: String { "\(section).\(name)" }

  /// `GROUNDWELL_WORKERS_COUNT`; store and socket have the short names that clients know as well.
  var environment: String {
    switch key {
    case "store.path": "GROUNDWELL_STORE"
    case "server.socket": "GROUNDWELL_SOCKET"
    default: "GROUNDWELL_\(section.uppercased())_\(name.uppercased())"
    }
  }

  /// The value that it has.
  func value(in settings: DaemonSettings) -> TOMLValue {
    switch kind {
    case .integer(let path, _): .integer(settings[keyPath: path])
    case .choice(let path, _), .text(let path, _): .text(settings[keyPath: path])
    }
  }

  /// Gives it a value.
  ///
  /// - Parameter name: what the user called it, for the message.
  /// - Throws: ``ConfigurationError`` when the value has the wrong type or lies outside the range.
  func set(
    _ value: TOMLValue, in settings: inout DaemonSettings, as name: String
  ) throws(ConfigurationError) {
    switch (kind, value) {
    case (.integer(let path, let range), .integer(let number)):
      guard range.contains(number) else {
        throw ConfigurationError("\(name) is \(number); expected \(expectedRange(range))")
      }
      settings[keyPath: path] = number
    case (.choice(let path, let words), .text(let text)):
      guard words.contains(text) else {
        throw ConfigurationError(
          "\(name) is '\(text.prefix(64))'; expected one of \(words.joined(separator: ", "))")
      }
      settings[keyPath: path] = text
    case (.text(let path, let complaint), .text(let text)):
      if let complaint = complaint(text) {
        throw ConfigurationError("\(name) is '\(text.prefix(200))'; \(complaint)")
      }
      settings[keyPath: path] = text
    case (.integer(_, let range), _):
      throw ConfigurationError(
        "\(name) is \(value.description); expected an integer, \(expectedRange(range))")
    case (.choice, _), (.text, _):
      throw ConfigurationError("\(name) is \(value.description); expected a string")
    }
  }

  /// Gives it a value that is written as text: in the environment or on the command line.
  func set(
    text: String, in settings: inout DaemonSettings, as name: String
  ) throws(ConfigurationError) {
    if case .integer = kind, let value = TOMLNumber.value(text) {
      return try set(value, in: &settings, as: name)
    }
    try set(.text(text), in: &settings, as: name)
  }

  private func expectedRange(_ range: ClosedRange<Int>) -> String {
    "\(range.lowerBound) to \(range.upperBound)"
  }
}

/// A configuration that cannot be used: one sentence with the file and the line, the option or the
/// variable, what was found and what is expected.
struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  let message: String

  init(_ message: String) { self.message = message }

  var description: String { message }
}
