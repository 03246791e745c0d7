private import CSocket
import Foundation
import Wire

/// Listening sockets that a service manager has made before it started the daemon
/// (sd_listen_fds(3)).
struct SocketActivation {
  /// The first descriptor that is passed.
  private static let firstDescriptor: Int32 = 3
  /// Descriptors that are looked at.
  private static let maximumDescriptors = 16
  /// The name (`FileDescriptorName=`) of the socket for figures.
  static let metricsName = "metrics"

  /// A socket that listens already.
  struct Listener {
    let socket: UnixSocket
    /// Its path; empty for a port.
    let path: String
    /// Its port on the loopback interface; 0 for a Unix socket.
    let port: Int
  }

  /// The socket for clients.
  private(set) var server: Listener?
  /// The socket for figures.
  private(set) var metrics: Listener?

  /// Takes what `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` announce to this process; the
  /// descriptors are then closed in programs that it starts.
  ///
  /// - Throws: ``ConfigurationError`` when a descriptor is no listening stream socket, or there are
  ///   more than the daemon has a use for.
  init(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    process: Int32 = ProcessInfo.processInfo.processIdentifier
  ) throws(ConfigurationError) {
    guard let text = environment["LISTEN_FDS"], !text.isEmpty,
      let owner = environment["LISTEN_PID"], Int32(owner) == process
    else { return }
    guard let count = Int(text), (0...Self.maximumDescriptors).contains(count) else {
      throw ConfigurationError(
        "LISTEN_FDS is '\(text.prefix(32))'; expected 0 to \(Self.maximumDescriptors) sockets")
    }
    let names = (environment["LISTEN_FDNAMES"] ?? "").split(
      separator: ":", omittingEmptySubsequences: false
    ).map(String.init)
    for index in 0..<count {
      let name = index < names.count ? names[index] : ""
      try take(Self.firstDescriptor + Int32(index), named: name)
    }
  }

  private mutating func take(_ descriptor: Int32, named name: String) throws(ConfigurationError) {
    var found = gw_listener()
    // Safe: the struct lives for the duration of the call.
    let result = unsafe gw_listener(descriptor, &found)
    let subject = "descriptor \(descriptor) (LISTEN_FDS)"
    guard result == 0, found.is_stream != 0, found.listens != 0 else {
      let reason = result == 0 ? "it does not listen for streams" : systemReason(-result)
      throw ConfigurationError(
        "\(subject) is no listening stream socket: \(reason); check the socket unit")
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    let listener = Listener(
      socket: UnixSocket(owning: descriptor), path: Self.path(found), port: Int(found.port))
    if name == Self.metricsName {
      guard metrics == nil else {
        throw ConfigurationError("\(subject) is a second socket named 'metrics'; one is served")
      }
      guard Int(found.family) == GW_FAMILY_UNIX || found.is_loopback != 0 else {
        throw ConfigurationError(
          "\(subject) is a port that other machines reach; figures are served on the loopback "
            + "interface or on a Unix socket only")
      }
      metrics = listener
      return
    }
    guard Int(found.family) == GW_FAMILY_UNIX, !listener.path.isEmpty else {
      throw ConfigurationError(
        "\(subject) is no Unix socket with a path; use ListenStream=%t/groundwell/groundwelld.sock")
    }
    guard server == nil else {
      throw ConfigurationError(
        "\(subject) is a second socket for clients, \(listener.path); one is served")
    }
    server = listener
  }

  private static func path(_ found: gw_listener) -> String {
    // Safe: the field is a zero-terminated array of its own size.
    unsafe withUnsafeBytes(of: found.path) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
