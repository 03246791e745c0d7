import Foundation
import Schema
import Wire

/// The claim of one daemon on a socket path, from before it listens until it has stopped.
///
/// A locked file beside the socket keeps two daemons that start at once from clearing each other's
/// socket away; the kernel drops the lock when the process ends, however it ends.
final class SocketClaim: Sendable {
  private let path: String
  /// The option that chooses another path, for messages.
  private let option: String
  private let lock: Int32

  /// Claims `path`: makes its folder (mode 0700), and clears away a socket that a killed daemon
  /// has left.
  ///
  /// - Throws: ``DaemonError`` when another daemon has the path, it is too long, its folder is not
  ///   to be trusted, or a file that is no socket stands there.
  init(_ path: String, option: String = "--socket") throws(DaemonError) {
    guard (1...SocketPath.maximumBytes).contains(path.utf8.count) else {
      throw DaemonError(
        .invalidParams,
        "socket path of \(path.utf8.count) bytes; a Unix socket takes 1 to "
          + "\(SocketPath.maximumBytes): choose a shorter one with \(option): \(path.prefix(200))")
    }
    try Self.makeFolder(of: path)
    // Safe: the path is passed for the duration of the call.
    lock = unsafe open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard lock >= 0 else {
      throw DaemonError(
        .storeUnwritable, "\(path).lock cannot be opened: \(systemReason(errno))")
    }
    self.path = path
    self.option = option
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw taken() }
    try clearStale()
  }

  deinit { close(lock) }

  /// Listens on the path.
  func listen() throws(WireError) -> UnixSocket { try UnixSocket.listen(at: path) }

  /// Removes the socket; only the holder of the claim may, so it can be nobody else's.
  func removeSocket() {
    // Safe: the path is passed for the duration of the call.
    unsafe unlink(path)
  }

  private static func makeFolder(of path: String) throws(DaemonError) {
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
    // The standard folder's name can be guessed, so somebody else may have made it first.
    guard path == SocketPath.standard() else { return }
    var status = stat()
    // Safe: the struct and the path live for the duration of the call.
    let isKnown = unsafe lstat(folder, &status) == 0
    guard isKnown, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == getuid(),
      status.st_mode & 0o022 == 0
    else {
      throw DaemonError(
        .storeUnwritable,
        "\(folder) must be a folder of your own that nobody else can write; "
          + "remove it, or choose another socket with --socket")
    }
  }

  private func clearStale() throws(DaemonError) {
    var status = stat()
    // Safe: the struct and the path live for the duration of the call.
    guard unsafe lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw DaemonError(
        .invalidParams, "\(path) exists and is no socket; remove it or choose another \(option)")
    }
    do throws(WireError) {
      _ = try UnixSocket.connect(to: path, timeout: .seconds(1))
    } catch  where error.systemError == ECONNREFUSED {
      // Nobody listens: the socket is left over from a daemon that was killed.
      // Safe: the path is passed for the duration of the call.
      unsafe unlink(path)
      return
    } catch {
      throw DaemonError(.storeUnwritable, error.message, cause: error)
    }
    throw taken()
  }

  private func taken() -> DaemonError {
    DaemonError(
      .storeUnwritable,
      "a daemon already answers on \(path); stop it, or choose another \(option)")
  }
}
