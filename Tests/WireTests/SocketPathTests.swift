import Foundation
import Testing
import Wire

/// Where the daemon's socket is expected.
@Suite struct SocketPathTests {
  @Test("the environment names the socket, else the runtime folder, else /tmp")
  func order() {
    #expect(
      SocketPath.standard(environment: ["GROUNDWELL_SOCKET": "/a/b", "XDG_RUNTIME_DIR": "/run/x"])
        == "/a/b")
    #expect(
      SocketPath.standard(environment: ["GROUNDWELL_SOCKET": "", "XDG_RUNTIME_DIR": "/run/x"])
        == "/run/x/groundwell/groundwelld.sock")
    #expect(
      SocketPath.standard(environment: ["XDG_RUNTIME_DIR": ""])
        == "/tmp/groundwell-\(getuid())/groundwelld.sock")
  }
}
