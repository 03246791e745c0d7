import Foundation
import Schema

/// The folder of a backup while it is made: everything is written under a name of its own, synced,
/// and renamed at the end.
struct BackupFolder: Sendable {
  /// Bytes that are copied at a time.
  static let pieceBytes = 4 << 20
  /// Bytes of the longest path that is taken.
  private static let maximumPathBytes = 3072

  /// The name that it will have.
  let path: String
  /// The name that it has until it is complete.
  var partial: String { path + ".partial" }
  private var parent: String { (path as NSString).deletingLastPathComponent }

  /// A folder that is not there yet.
  ///
  /// - Throws: ``StoreError/Code/invalidArgument``.
  init(_ path: String, storePath: String) throws(StoreError) {
    guard path.hasPrefix("/"), !path.utf8.contains(0), path.utf8.count <= Self.maximumPathBytes
    else {
      throw StoreError(
        .invalidArgument,
        "directory is '\(path.prefix(200))'; expected an absolute path of at most "
          + "\(Self.maximumPathBytes) bytes")
    }
    let standard = (path as NSString).standardizingPath
    let store = (storePath as NSString).standardizingPath
    guard standard != "/", standard != store, !standard.hasPrefix(store + "/") else {
      throw StoreError(
        .invalidArgument, "\(standard) lies in the store itself; choose a folder elsewhere")
    }
    self.path = standard
    for name in [self.path, partial] where try Self.exists(name) {
      let remedy =
        name == self.path
        ? "choose another name" : "a backup was cut off there: remove it and ask again"
      throw StoreError(.invalidArgument, "\(name) is there already; \(remedy)")
    }
  }

  private static func exists(_ path: String) throws(StoreError) -> Bool {
    var facts = stat()
    // Safe: the path is a Swift string and the struct lives for the duration of the call.
    if unsafe lstat(path, &facts) == 0 { return true }
    guard errno == ENOENT else { throw refusal("stat", path, errno) }
    return false
  }

  private static func refusal(_ call: String, _ path: String, _ number: Int32) -> StoreError {
    let error = StoreError.system(call, path, errno: number)
    return StoreError(error.code == .full ? .full : .invalidArgument, error.message)
  }

  /// Makes the folder, if there is room for `needed` bytes.
  func make(needed: Int) throws(StoreError) {
    if let free = StoreSpace.systemFreeBytes(parent), free < needed {
      throw StoreError(
        .full, "\(parent): \(free) bytes are free, the backup needs \(needed); make room")
    }
    for folder in [partial, partial + "/packs"] {
      // Safe: the path is a Swift string, passed for the duration of the call.
      guard unsafe mkdir(folder, 0o700) == 0 else { throw Self.refusal("mkdir", folder, errno) }
    }
  }

  /// Copies the first `bytes` of a file and syncs the copy.
  func copy(
    _ source: PosixFile, bytes: Int, to name: String, progress: (Int) async -> Void
  ) async throws(StoreError) -> Backup.File {
    let target = try PosixFile(partial + "/" + name, .create)
    let checksum = StreamedChecksum()
    var done = 0
    while done < bytes {
      guard !Task.isCancelled else {
        throw StoreError(.busy, "the backup was given up: nobody waits for it any more")
      }
      let piece = try source.read(at: done, count: min(Self.pieceBytes, bytes - done))
      guard !piece.isEmpty else {
        throw StoreError(
          .corrupt, "\(source.path) ends after \(done) bytes, the catalog needs \(bytes)")
      }
      try target.write(piece, at: done)
      checksum.add(piece)
      done += piece.count
      await progress(done)
    }
    try target.sync()
    return Backup.File(path: name, bytes: bytes, checksum: checksum.text)
  }

  /// Syncs a file that was written by somebody else, and describes it.
  func finish(_ name: String) throws(StoreError) -> Backup.File {
    let file = try PosixFile(partial + "/" + name, .write)
    try file.sync()
    return try Self.describe(file, name)
  }

  /// Length and checksum of a file.
  static func describe(_ file: PosixFile, _ name: String) throws(StoreError) -> Backup.File {
    let checksum = StreamedChecksum()
    var done = 0
    while true {
      let piece = try file.read(at: done, count: pieceBytes)
      if piece.isEmpty { break }
      checksum.add(piece)
      done += piece.count
    }
    return Backup.File(path: name, bytes: done, checksum: checksum.text)
  }

  /// Writes what the backup is, as the last file.
  func describe(_ result: Backup.Result) throws(StoreError) {
    let text: [UInt8]
    do throws(SchemaError) {
      text = try JSONText.encode(result)
    } catch {
      throw StoreError(.invalidArgument, error.message, cause: error)
    }
    let file = try PosixFile(partial + "/" + Backup.fileName, .create)
    try file.write(text + [UInt8(ascii: "\n")], at: 0)
    try file.sync()
    try PosixFile.syncDirectory(partial + "/packs")
    try PosixFile.syncDirectory(partial)
  }

  /// Gives the folder its name.
  func name() throws(StoreError) {
    // Safe: both paths are Swift strings, passed for the duration of the call.
    guard unsafe rename(partial, path) == 0 else { throw Self.refusal("rename", path, errno) }
    try PosixFile.syncDirectory(parent)
  }

  /// Removes what was made of it.
  func remove() {
    do {
      try FileManager.default.removeItem(atPath: partial)
    } catch {
      // It says itself what it is, and the next backup of that name is refused by it.
    }
  }
}
