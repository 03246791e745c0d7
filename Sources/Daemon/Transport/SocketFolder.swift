import Foundation
import Schema
import Wire

/// Where the socket lies: a folder of the user's own, and no socket of a daemon that is alive.
enum SocketFolder {
  /// Makes the folder (mode 0700) and clears a socket away that nobody answers on.
  ///
  /// - Throws: ``DaemonError`` when a daemon answers, the path is too long, or a file that is no
  ///   socket stands there.
  static func prepare(_ path: String) throws(DaemonError) {
    guard (1...SocketPath.maximumBytes).contains(path.utf8.count) else {
      throw DaemonError(
        .invalidParams,
        "socket path of \(path.utf8.count) bytes; a Unix socket takes 1 to "
          + "\(SocketPath.maximumBytes): choose a shorter one with --socket: \(path.prefix(200))")
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    do {
      // Only what is made here gets the mode: a folder that exists keeps its own.
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw DaemonError(
        .storeUnwritable, "\(folder) cannot be created: \(error.localizedDescription)",
        cause: error)
    }
    try clearStale(path)
  }

  private static func clearStale(_ path: String) throws(DaemonError) {
    var status = stat()
    // Safe: the struct and the path live for the duration of the call.
    guard unsafe lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw DaemonError(
        .invalidParams, "\(path) exists and is no socket; remove it or choose another --socket")
    }
    do throws(WireError) {
      let probe = try UnixSocket.connect(to: path)
      probe.shutdown()
    } catch {
      // Nobody listens: the socket is left over from a daemon that was killed.
      // Safe: the path is passed for the duration of the call.
      unsafe unlink(path)
      return
    }
    throw DaemonError(
      .storeUnwritable,
      "a daemon already answers on \(path); stop it, or choose another --socket")
  }
}
