private import CSocket
import Foundation
import Schema
import Wire

/// Where figures are served: a Unix socket, or a port that only this machine reaches.
enum MetricsAddress: Sendable, Equatable {
  /// Nowhere.
  case off
  /// A Unix socket, mode 0600.
  case unix(String)
  /// A port of 127.0.0.1, or of ::1.
  case loopback(port: UInt16, isVersion6: Bool)

  /// Connections that may wait to be accepted.
  private static let backlog: Int32 = 16

  /// Reads `unix:/path`, `127.0.0.1:9477`, `localhost:9477` or `[::1]:9477`; empty is nowhere.
  init(_ text: String) throws(ConfigurationError) {
    let expected =
      "expected \"\" (off), \"unix:/path\", \"127.0.0.1:port\" or \"[::1]:port\": figures are "
      + "for this machine only"
    guard !text.isEmpty else {
      self = .off
      return
    }
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard path.hasPrefix("/"), path.utf8.count <= SocketPath.maximumBytes else {
        throw ConfigurationError(
          "expected an absolute path of at most \(SocketPath.maximumBytes) bytes behind 'unix:'")
      }
      self = .unix(path)
      return
    }
    for (host, isVersion6) in [("127.0.0.1:", false), ("localhost:", false), ("[::1]:", true)]
    where text.hasPrefix(host) {
      guard let port = UInt16(text.dropFirst(host.count)) else {
        throw ConfigurationError("expected a port of 0 to 65535 behind '\(host)'")
      }
      self = .loopback(port: port, isVersion6: isVersion6)
      return
    }
    throw ConfigurationError(expected)
  }

  /// Listens there; nil for nowhere.
  ///
  /// - Throws: ``DaemonError`` when somebody else listens there, or the system refuses.
  func listen() throws(DaemonError) -> MetricsListener? {
    switch self {
    case .off: return nil
    case .unix(let path):
      let claim = try SocketClaim(path, option: "--metrics")
      do throws(WireError) {
        return MetricsListener(
          socket: try claim.listen(), name: "unix:\(path)", isPort: false, claim: claim)
      } catch {
        throw DaemonError(.storeUnwritable, error.message, cause: error)
      }
    case .loopback(let port, let isVersion6):
      let result = gw_listen_loopback(isVersion6 ? 1 : 0, port, Self.backlog)
      let host = isVersion6 ? "[::1]" : "127.0.0.1"
      guard result >= 0 else {
        throw DaemonError(
          .storeUnwritable,
          "figures cannot be served on \(host):\(port): \(systemReason(-result)); choose another "
            + "port with --metrics")
      }
      var found = gw_listener()
      // Safe: the struct lives for the duration of the call.
      _ = unsafe gw_listener(result, &found)
      return MetricsListener(
        socket: UnixSocket(owning: result), name: "http://\(host):\(found.port)/metrics",
        isPort: true, claim: nil)
    }
  }
}

/// A socket on which figures are served.
struct MetricsListener: Sendable {
  let socket: UnixSocket
  /// For the log and `doctor`.
  let name: String
  /// Whether it is a port, which every user of this machine reaches.
  let isPort: Bool
  /// The claim on a Unix socket that is ours to remove.
  let claim: SocketClaim?
}
