import Foundation
import Schema
import TestSupport
import Testing

@testable import Daemon

/// Where settings come from, what goes before what, and what is refused.
@Suite struct ConfigurationTests {
  private let directory: TemporaryDirectory
  private let file: String
  private let environment: [String: String]

  init() throws {
    directory = try TemporaryDirectory()
    file = directory.file("groundwelld.toml")
    environment = ["HOME": directory.path, "XDG_RUNTIME_DIR": "/run/user/7"]
  }

  private func read(
    _ text: String? = nil, options: [Configuration.Given] = [], _ more: [String: String] = [:]
  ) throws -> Configuration {
    if let text { try Data(text.utf8).write(to: URL(fileURLWithPath: file)) }
    return try Configuration(
      options: options, filePath: text == nil ? nil : file,
      environment: environment.merging(more) { $1 })
  }

  private static var shippedPath: String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../packaging/groundwelld.toml").standardized.path
  }

  @Test("the shipped file says what the defaults are, and documents every setting")
  func shippedFileIsTheDefaults() throws {
    let text = try String(contentsOfFile: Self.shippedPath, encoding: .utf8)
    let found = try read(text)
    #expect(found.settings == DaemonSettings(environment: environment))
    // Those whose default depends on who runs the daemon are there as comments.
    let commented = ["store.path", "server.socket"]
    for setting in Setting.all where !commented.contains(setting.key) {
      guard case .file = found.source(of: setting) else {
        Issue.record("\(setting.key) is not in the shipped file")
        continue
      }
    }
    #expect(text.contains("\n# path = ") && text.contains("\n# socket = "))
    let blocks = text.components(separatedBy: "\n\n")
    for setting in Setting.all {
      let block = try #require(blocks.first { $0.contains("\(setting.name) = ") }, "\(setting.key)")
      #expect(block.contains("Unit: "), "\(setting.key)")
      #expect(block.contains("Default"), "\(setting.key)")
      if setting.section != "limits" {
        #expect(block.contains(setting.isLive ? "[live]" : "[start]"), "\(setting.key)")
      }
      if case .integer(_, let range) = setting.kind {
        let line = block.replacing("\n# ", with: " ")
        #expect(
          line.contains("Range: \(range.lowerBound) to \(range.upperBound)"), "\(setting.key)")
      }
    }
  }

  @Test("an option goes before the environment, that before the file, that before the default")
  func precedence() throws {
    let text = "[workers]\ncount = 2\nniceness = 3\nidle_seconds = 4\n"
    let option = Configuration.Given(key: "workers.count", text: "5", option: "--workers")
    let found = try read(
      text, options: [option],
      ["GROUNDWELL_WORKERS_COUNT": "6", "GROUNDWELL_WORKERS_NICENESS": "7"])
    #expect(found.settings.workerCount == 5)
    #expect(found.settings.workerNiceness == 7)
    #expect(found.settings.workerIdleSeconds == 4)
    #expect(found.settings.defaultImageSize == 64)
    let source = { (key: String) in Setting.named(key).map { "\(found.source(of: $0))" } }
    #expect(source("workers.count") == "--workers")
    #expect(source("workers.niceness") == "$GROUNDWELL_WORKERS_NICENESS")
    #expect(source("workers.idle_seconds") == "\(file):4")
    #expect(source("backfill.image_size") == "default")
  }

  @Test("store and socket have the variables that clients know")
  func shortVariables() throws {
    let found = try read(nil, ["GROUNDWELL_STORE": "/data", "GROUNDWELL_SOCKET": "/s"])
    #expect(found.settings.storePath == "/data")
    #expect(found.settings.socketPath == "/s")
    #expect(try read().settings.storePath == directory.path + "/.local/share/groundwell/store")
    #expect(try read().settings.socketPath == "/run/user/7/groundwell/groundwelld.sock")
  }

  @Test("the file is the one named, else the variable's, else the first of the standard ones")
  func findsFile() throws {
    #expect(try read().file == nil)
    let folder = directory.file(".config/groundwell")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data("[workers]\ncount = 9\n".utf8).write(
      to: URL(fileURLWithPath: folder + "/groundwelld.toml"))
    #expect(try read().settings.workerCount == 9)
    let other = directory.file("other.toml")
    try Data("[workers]\ncount = 8\n".utf8).write(to: URL(fileURLWithPath: other))
    #expect(try read(nil, ["GROUNDWELL_CONFIG": other]).settings.workerCount == 8)
    #expect(
      try read("[workers]\ncount = 7\n", ["GROUNDWELL_CONFIG": other]).settings.workerCount == 7)
    let error = #expect(throws: ConfigurationError.self) {
      try read(nil, ["GROUNDWELL_CONFIG": "/no/such"])
    }
    #expect(error?.message.hasPrefix("/no/such: cannot be read: ") == true)
  }

  private func read(_ text: String?, _ more: [String: String]) throws -> Configuration {
    try read(text, options: [], more)
  }

  @Test(
    "a wrong key, type or value is refused with file and line, what was found and expected",
    arguments: [
      ("[workers]\ncuont = 1", "2: no setting 'workers.cuont'; did you mean 'workers.count'?"),
      ("count = 1", "1: no setting 'count'; did you mean 'workers.count'?"),
      ("[wrokers]", "1: no section [wrokers]; did you mean [workers]?"),
      ("[x]\ny = 1", "1: no section [x]; 'groundwelld --print-config' lists all"),
      (
        "[workers]\ncount = \"two\"",
        "2: workers.count is \"two\" (a string); expected an integer, 0 to 64"
      ),
      (
        "[workers]\ncount = 1.5",
        "2: workers.count is 1.5 (a decimal number); expected an integer, 0 to 64"
      ),
      ("[workers]\ncount = [1]", "2: workers.count is a list; expected an integer, 0 to 64"),
      ("[workers]\n\ncount = 65", "3: workers.count is 65; expected 0 to 64"),
      ("[log]\nlevel = 3", "2: log.level is 3 (an integer); expected a string"),
      (
        "[log]\nlevel = \"loud\"",
        "2: log.level is 'loud'; expected one of trace, debug, info, notice, warning, error, "
          + "critical"
      ),
      ("[store]\npath = true", "2: store.path is true (a boolean); expected a string"),
      ("[store]\npath = \"\"", "2: store.path is ''; expected a path"),
      (
        "[metrics]\nlisten = \"0.0.0.0:80\"",
        "2: metrics.listen is '0.0.0.0:80'; expected \"\" (off), \"unix:/path\", "
          + "\"127.0.0.1:port\" or \"[::1]:port\": figures are for this machine only"
      ),
      ("[store]\npath = ", "2: the end of the line where a value is expected"),
    ])
  func refuses(text: String, message: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try read(text) }
    #expect(error?.message == "\(file):\(message)")
  }

  @Test("options and variables are refused by their own names")
  func refusesOthers() throws {
    var error = #expect(throws: ConfigurationError.self) {
      try read(nil, ["GROUNDWELL_WORKERS_COUNT": "many"])
    }
    #expect(
      error?.message
        == "$GROUNDWELL_WORKERS_COUNT is \"many\" (a string); expected an integer, 0 to 64")
    error = #expect(throws: ConfigurationError.self) {
      try read(options: [.init(key: "log.levle", text: "info", option: "--set log.levle")])
    }
    #expect(
      error?.message == "--set log.levle: no setting 'log.levle'; did you mean 'log.level'?")
  }

  @Test("what is printed can be read again and says the same")
  func printedIsReadable() throws {
    let option = Configuration.Given(
      key: "store.path", text: "/data/a \"b\"\\c", option: "--store")
    let first = try read("[workers]\ncount = 3\n", options: [option])
    let again = try read(first.printed)
    #expect(again.settings == first.settings)
    #expect(first.printed.contains("count = 3  # \(file):2, read at start\n"))
    #expect(first.printed.contains("niceness = 10  # default\n"))
    #expect(first.printed.contains("path = \"/data/a \\\"b\\\"\\\\c\"  # --store, read at start\n"))
  }

  @Test("reading again takes what can change at once and names what waits")
  func reloads() throws {
    let old = try read("[workers]\ncount = 1\nniceness = 5\n")
    let newer = try read("[workers]\ncount = 2\nniceness = 6\n[log]\nlevel = \"debug\"\n")
    let (taken, changed, waiting) = old.reloaded(newer)
    #expect(changed == ["workers.niceness", "log.level"])
    #expect(waiting == ["workers.count"])
    #expect(taken.settings.workerCount == 1)
    #expect(taken.settings.workerNiceness == 6)
    #expect(taken.settings.logLevel == "debug")
  }
}
