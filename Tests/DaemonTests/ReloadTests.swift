import Foundation
import Schema
import TestSupport
import Testing
import Wire

/// A running daemon and its configuration.
@Suite struct ReloadTests {
  private func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  /// Waits until the log holds a text.
  private func expectLog(
    _ daemon: DaemonProcess, _ text: String, _ location: SourceLocation = #_sourceLocation
  ) throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while !daemon.log.contains(text) {
      try #require(ContinuousClock.now < deadline, "\(daemon.log)", sourceLocation: location)
      usleep(10_000)
    }
  }

  @Test("SIGHUP takes what can change; a broken file changes nothing and is told in the log")
  func reloads() throws {
    let folder = try TemporaryDirectory()
    let file = folder.file("c.toml")
    try write("[server]\nmaximum_connections = 2\n", to: file)
    let daemon = try DaemonProcess(options: ["--config", file])
    var clients = [try daemon.client()]
    // The one that looked whether the daemon was up may still be there.
    while try clients[0].call(Status.self, .init()).result.connections > 1 {}
    clients.append(try daemon.client())
    #expect(throws: WireError.self) { _ = try daemon.client() }
    try write("[server]\nmaximum_connections = 3\n[limits]\nmaximum_streams = 1\n", to: file)
    daemon.reload()
    try expectLog(daemon, "some settings wait for the next start")
    #expect(daemon.log.contains("changed=server.maximum_connections"))
    #expect(daemon.log.contains("settings=limits.maximum_streams"))
    clients.append(try daemon.client())
    #expect(clients[2].greeting.limits.maximumStreams == 64)
    try write("[server]\nmaximum_connections = \"many\"\n", to: file)
    daemon.reload()
    try expectLog(
      daemon,
      "\(file):2: server.maximum_connections is \"many\" (a string); expected an integer, 1 to 65536"
    )
    #expect(daemon.log.contains("configuration not read; the old settings stay"))
    #expect(throws: WireError.self) { _ = try daemon.client() }
    _ = try clients[0].call(Ping.self, .init())
    try write("[log]\nlevel = \"debug\"\n", to: file)
    daemon.reload()
    try expectLog(daemon, "changed=server.maximum_connections, log.level")
    _ = try daemon.client()
    try expectLog(daemon, "debug groundwelld")
  }

  @Test("a broken file keeps a daemon from starting, with the file and the line")
  func refusesToStart() throws {
    let folder = try TemporaryDirectory()
    let file = folder.file("c.toml")
    try write("[workers]\ncount = \"two\"\n", to: file)
    let (status, errors) = try DaemonProcess.run(["--config", file])
    #expect(status == 1)
    #expect(
      errors
        == "groundwelld: \(file):2: workers.count is \"two\" (a string); expected an integer, "
        + "0 to 64\n")
    #expect(
      try DaemonProcess.run(["--set", "workers"]).errors.contains("expected section.key=value"))
    #expect(
      try DaemonProcess.run(["--set", "limits.maximum_streams=0"]).errors.contains(
        "--set limits.maximum_streams is 0; expected 1 to 4096\n"))
  }
}
