import Foundation
import Schema

/// The settings in force, and where each of them came from.
///
/// An option of the command line goes before the environment, that before the file, and that before
/// the default.
struct Configuration: Sendable, Equatable {
  /// Where a value came from.
  enum Source: Sendable, Equatable, CustomStringConvertible {
    case standard
    case file(String, line: Int)
    case environment(String)
    case option(String)

    var description: String {
      switch self {
      case .standard: "default"
      case .file(let path, let line): "\(path):\(line)"
      case .environment(let name): "$\(name)"
      case .option(let name): name
      }
    }
  }

  /// A value of the command line: the setting's key, the value, and the option that it came with.
  struct Given: Sendable, Equatable {
    let key: String
    let text: String
    let option: String
  }

  /// Bytes of a configuration file at most.
  static let maximumFileBytes = 1 << 20
  /// The variable that names the file.
  static let fileVariable = "GROUNDWELL_CONFIG"

  /// The settings.
  var settings: DaemonSettings
  /// Where each came from, by key.
  var sources: [String: Source] = [:]
  /// The file that was read; nil when there is none.
  var file: String?

  /// Brings everything together.
  ///
  /// - Parameter filePath: the file that the command line names; then the one of
  ///   `$GROUNDWELL_CONFIG`, then the first that exists of ``standardFiles(_:)``.
  /// - Throws: ``ConfigurationError`` about the first thing that is wrong.
  init(
    options: [Given], filePath: String?, environment: [String: String]
  ) throws(ConfigurationError) {
    settings = DaemonSettings(environment: environment)
    try read(filePath, environment)
    for setting in Setting.all {
      guard let text = environment[setting.environment], !text.isEmpty else { continue }
      try setting.set(text: text, in: &settings, as: "$\(setting.environment)")
      sources[setting.key] = .environment(setting.environment)
    }
    for given in options { try apply(given) }
  }

  /// The defaults under options, without file and environment.
  init(options: [Given]) throws(ConfigurationError) {
    settings = DaemonSettings()
    for given in options { try apply(given) }
  }

  /// Where a file is looked for when none is named.
  static func standardFiles(_ environment: [String: String]) -> [String] {
    let home = environment["HOME"] ?? NSHomeDirectory()
    let folder = environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 }
    return [
      (folder ?? home + "/.config") + "/groundwell/groundwelld.toml",
      "/etc/groundwell/groundwelld.toml",
    ]
  }

  /// Where a setting's value came from.
  func source(of setting: Setting) -> Source { sources[setting.key] ?? .standard }

  // MARK: Parts

  private mutating func apply(_ given: Given) throws(ConfigurationError) {
    guard let setting = Setting.named(given.key) else {
      throw ConfigurationError("\(given.option): \(Self.unknown(given.key))")
    }
    try setting.set(text: given.text, in: &settings, as: given.option)
    sources[setting.key] = .option(given.option)
  }

  private mutating func read(
    _ named: String?, _ environment: [String: String]
  ) throws(ConfigurationError) {
    let variable = environment[Self.fileVariable].flatMap { $0.isEmpty ? nil : $0 }
    let standard = Self.standardFiles(environment).first {
      FileManager.default.fileExists(atPath: $0)
    }
    guard let path = named ?? variable ?? standard else { return }
    let bytes = try Self.bytes(path)
    let document: TOMLDocument
    do throws(TOMLError) {
      document = try TOMLDocument(bytes)
    } catch {
      throw ConfigurationError("\(path):\(error.line): \(error.message)")
    }
    try apply(document, path)
    file = path
  }

  private mutating func apply(
    _ document: TOMLDocument, _ path: String
  ) throws(ConfigurationError) {
    let sections = Set(Setting.all.map(\.section))
    for table in document.tables where !sections.contains(table.path.joined(separator: ".")) {
      let name = table.path.joined(separator: ".")
      let near = Suggestion.nearest(to: name, among: sections.sorted())
      let remedy = near.map { "did you mean [\($0)]?" } ?? "'groundwelld --print-config' lists all"
      throw ConfigurationError("\(path):\(table.line): no section [\(name)]; \(remedy)")
    }
    for entry in document.entries {
      let key = entry.path.joined(separator: ".")
      guard let setting = Setting.named(key) else {
        throw ConfigurationError("\(path):\(entry.line): \(Self.unknown(key))")
      }
      try setting.set(entry.value, in: &settings, as: "\(path):\(entry.line): \(key)")
      sources[key] = .file(path, line: entry.line)
    }
  }

  private static func unknown(_ key: String) -> String {
    let shown = key.prefix(80)
    let keys = Setting.all.map(\.key)
    let whole = Suggestion.nearest(to: String(shown), among: keys)
    // A name without its section, or in another one, is the commonest slip.
    let last = key.split(separator: ".").last.map(String.init) ?? key
    let moved = Setting.all.first { $0.name == last }?.key
    let remedy =
      (moved ?? whole).map { "did you mean '\($0)'?" } ?? "'groundwelld --print-config' lists all"
    return "no setting '\(shown)'; \(remedy)"
  }

  private static func bytes(_ path: String) throws(ConfigurationError) -> [UInt8] {
    let data: Data?
    do {
      let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      data = try handle.read(upToCount: maximumFileBytes + 1)
      try handle.close()
    } catch {
      throw ConfigurationError("\(path): cannot be read: \(error.localizedDescription)")
    }
    guard (data?.count ?? 0) <= maximumFileBytes else {
      throw ConfigurationError("\(path): more than \(maximumFileBytes) bytes; no settings file")
    }
    return Array(data ?? Data())
  }
}
