extension Configuration {
  /// All settings as a file that can be read again, each line with where its value came from.
  var printed: String {
    var lines = ["# groundwelld: settings in force, from \(file ?? "no file").", ""]
    for section in Self.sections {
      lines.append("[\(section)]")
      for setting in Setting.all where setting.section == section {
        let value = Self.written(setting.value(in: settings))
        let live = setting.isLive ? "" : ", read at start"
        lines.append("\(setting.name) = \(value)  # \(source(of: setting))\(live)")
      }
      lines.append("")
    }
    return lines.joined(separator: "\n")
  }

  private static var sections: [String] {
    Setting.all.map(\.section).reduce(into: []) { sections, section in
      if sections.last != section { sections.append(section) }
    }
  }

  /// A value as TOML writes it.
  static func written(_ value: TOMLValue) -> String {
    switch value {
    case .integer(let number): "\(number)"
    case .decimal(let number): "\(number)"
    case .boolean(let flag): "\(flag)"
    case .list(let values): "[\(values.map(written).joined(separator: ", "))]"
    case .text(let text): "\"\(text.unicodeScalars.map(escaped).joined())\""
    }
  }

  private static func escaped(_ scalar: UnicodeScalar) -> String {
    switch scalar {
    case "\"": "\\\""
    case "\\": "\\\\"
    case "\n": "\\n"
    case "\t": "\\t"
    case "\r": "\\r"
    default: String(Character(scalar))
    }
  }

  /// What SIGHUP takes from a configuration that was read again: everything that can change while
  /// the daemon runs, and the keys of what else has changed.
  func reloaded(
    _ newer: Configuration
  ) -> (configuration: Configuration, changed: [String], waiting: [String]) {
    var (taken, changed, waiting) = (self, [String](), [String]())
    taken.file = newer.file
    for setting in Setting.all {
      let value = setting.value(in: newer.settings)
      guard value != setting.value(in: settings) else { continue }
      guard setting.isLive else {
        waiting.append(setting.key)
        continue
      }
      taken.take(setting, from: newer)
      changed.append(setting.key)
    }
    return (taken, changed, waiting)
  }

  private mutating func take(_ setting: Setting, from newer: Configuration) {
    switch setting.kind {
    case .integer(let path, _): settings[keyPath: path] = newer.settings[keyPath: path]
    case .choice(let path, _), .text(let path, _):
      settings[keyPath: path] = newer.settings[keyPath: path]
    }
    sources[setting.key] = newer.sources[setting.key]
  }
}
