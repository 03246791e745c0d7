public import Foundation

/// Where the daemon's socket is, unless somebody says otherwise.
public enum SocketPath {
  /// Bytes of a path that fit into a socket address, without its end mark.
  public static let maximumBytes = 107

  /// `$GROUNDWELL_SOCKET`, else `groundwell/groundwelld.sock` under `$XDG_RUNTIME_DIR`, else
  /// `/tmp/groundwell-UID/groundwelld.sock`.
  public static func standard(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String {
    if let path = environment["GROUNDWELL_SOCKET"], !path.isEmpty { return path }
    if let directory = environment["XDG_RUNTIME_DIR"], !directory.isEmpty {
      return directory + "/groundwell/groundwelld.sock"
    }
    return "/tmp/groundwell-\(getuid())/groundwelld.sock"
  }
}
