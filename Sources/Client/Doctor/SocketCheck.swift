import Foundation

/// The socket and its folder, as they lie in the file system.
package enum SocketCheck {
  /// What is found of the socket at `path`.
  package static func findings(_ path: String) -> [Finding] {
    let folder = (path as NSString).deletingLastPathComponent
    return [self.folder(folder.isEmpty ? "." : folder), socket(path)]
  }

  private static func folder(_ path: String) -> Finding {
    guard let found = status(path), found.st_mode & S_IFMT == S_IFDIR else {
      return Finding(
        .doubtful, "socket folder", "\(path) is not there",
        "the daemon makes it; or name another socket with --socket or GROUNDWELL_SOCKET")
    }
    let mode = found.st_mode & 0o7777
    let owners = [getuid(), 0]
    guard owners.contains(found.st_uid) else {
      return Finding(
        .wrong, "socket folder", "\(path) belongs to user \(found.st_uid)",
        "somebody else could put a socket of theirs there; remove it, or use another folder")
    }
    // A folder that all can write is safe only where nobody can remove what is not theirs.
    let isOpen = mode & 0o022 != 0 && mode & S_ISVTX == 0
    return Finding(
      isOpen ? .wrong : .fine, "socket folder", "\(path), mode \(String(mode, radix: 8))",
      "others can put a socket of theirs there: chmod 700 \(path)")
  }

  private static func socket(_ path: String) -> Finding {
    guard let found = status(path) else {
      return Finding(.doubtful, "socket", "\(path) is not there", "start the daemon: groundwelld")
    }
    guard found.st_mode & S_IFMT == S_IFSOCK else {
      return Finding(
        .wrong, "socket", "\(path) is no socket", "remove it, or choose another with --socket")
    }
    let mode = found.st_mode & 0o777
    guard found.st_uid == getuid() || getuid() == 0 else {
      return Finding(
        .wrong, "socket", "\(path) belongs to user \(found.st_uid)",
        "a daemon serves its own user only; run one of your own")
    }
    return Finding(
      mode & 0o077 == 0 ? .fine : .doubtful, "socket", "\(path), mode \(String(mode, radix: 8))",
      "the daemon refuses other users all the same; make it 600 with SocketMode=0600 or chmod")
  }

  private static func status(_ path: String) -> stat? {
    var found = stat()
    // Safe: the path and the struct live for the duration of the call.
    return unsafe stat(path, &found) == 0 ? found : nil
  }
}
