import Foundation
import GRDB
public import Schema

/// Makes a store of a backup, offline.
///
/// Every file is held against the length and checksum that the backup gives, and the new store is
/// opened and read to its last byte, before it gets its name.
public struct Restoration: Sendable {
  /// Bytes of the longest description of a backup.
  private static let maximumDescriptionBytes = 16 << 20

  private let backup: String
  private let path: String
  private let keepsIdentity: Bool

  /// A store in the folder `path`, which must not be there or be empty, from the folder `backup`.
  ///
  /// - Parameter keepsIdentity: whether it is the same store to clients, so that their tokens hold.
  ///   Right only where the original is gone for good: a token from after the backup would name
  ///   other batches here.
  public init(_ backup: String, to path: String, keepsIdentity: Bool) {
    (self.backup, self.path, self.keepsIdentity) = (backup, path, keepsIdentity)
  }

  /// Restores; answers what was found in the new store.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when a byte of the backup is not what was written,
  ///   ``StoreError/Code/newerVersion``, ``StoreError/Code/invalidArgument``,
  ///   ``StoreError/Code/unwritable``.
  public func run() async throws(StoreError) -> (facts: Backup.Result, check: Check.Result) {
    let facts = try description()
    let isThere = try isEmptyFolder()
    let partial = path + ".partial"
    guard try PosixFile.length(ofFileAt: partial) == nil else {
      throw StoreError(
        .invalidArgument, "\(partial) is there: a restoration was cut off; remove it")
    }
    do throws(StoreError) {
      for folder in [partial, partial + "/packs"] { try Self.makeFolder(folder) }
      for file in facts.files { try copy(file, to: partial) }
      if !keepsIdentity { try giveIdentity(partial) }
      let check = try await verify(partial)
      // Safe: the path is a Swift string. A folder that is not empty any more stops the rename.
      if isThere { _ = unsafe rmdir(path) }
      // Safe: both paths are Swift strings, passed for the duration of the call.
      guard unsafe rename(partial, path) == 0 else {
        throw StoreError.system("rename", path, errno: errno)
      }
      try PosixFile.syncDirectory((path as NSString).deletingLastPathComponent)
      return (facts, check)
    } catch {
      do { try FileManager.default.removeItem(atPath: partial) } catch {
        // The first error is the one to tell; the folder's name says what it is.
      }
      throw error
    }
  }

  private func description() throws(StoreError) -> Backup.Result {
    let name = backup + "/" + Backup.fileName
    guard let length = try PosixFile.length(ofFileAt: name) else {
      throw StoreError(
        .invalidArgument,
        "\(name) is missing: the folder is no backup, or one that was not finished")
    }
    guard length <= Self.maximumDescriptionBytes else {
      throw StoreError(.corrupt, "\(name) has \(length) bytes; no description of a backup")
    }
    let text = try PosixFile(name, .read).read(at: 0, count: length)
    let facts: Backup.Result
    do throws(SchemaError) {
      facts = try JSONText.decode(Backup.Result.self, from: text)
    } catch {
      throw StoreError(.corrupt, "\(name): \(error.message)", cause: error)
    }
    guard facts.version <= Backup.version, facts.catalogVersion <= Catalog.version else {
      throw StoreError(
        .newerVersion,
        "\(name): a backup of layout \(facts.version) and catalog \(facts.catalogVersion); this "
          + "Groundwell knows \(Backup.version) and \(Catalog.version): update it")
    }
    for file in facts.files where !Self.isKnown(file.path) {
      throw StoreError(.corrupt, "\(name): no backup has a file '\(file.path.prefix(100))'")
    }
    guard Set(facts.files.map(\.path)).count == facts.files.count,
      facts.files.contains(where: { $0.path == Catalog.fileName })
    else { throw StoreError(.corrupt, "\(name): a file is there twice, or the catalog is not") }
    return facts
  }

  /// Whether a file of this name belongs to a store: nothing else is ever written.
  private static func isKnown(_ path: String) -> Bool {
    guard path != Catalog.fileName else { return true }
    guard path.hasPrefix("packs/"), path.hasSuffix(".pack"),
      let number = Int(path.dropFirst(6).dropLast(5)), number >= 1
    else { return false }
    return path == "packs/" + PackFolder.name(number)
  }

  private func isEmptyFolder() throws(StoreError) -> Bool {
    guard try PosixFile.length(ofFileAt: path) != nil else { return false }
    do {
      guard try FileManager.default.contentsOfDirectory(atPath: path).isEmpty else {
        throw StoreError(
          .invalidArgument, "\(path) is not empty; restore into a folder that is not there")
      }
      return true
    } catch let error as StoreError {
      throw error
    } catch {
      throw StoreError(
        .invalidArgument, "\(path) is there and no folder: \(error.localizedDescription)")
    }
  }

  private static func makeFolder(_ path: String) throws(StoreError) {
    // Safe: the path is a Swift string, passed for the duration of the call.
    guard unsafe mkdir(path, 0o700) == 0 else {
      throw StoreError.system("mkdir", path, errno: errno)
    }
  }

  private func copy(_ file: Backup.File, to folder: String) throws(StoreError) {
    let source = try PosixFile(backup + "/" + file.path, .read)
    let target = try PosixFile(folder + "/" + file.path, .create)
    let checksum = StreamedChecksum()
    var done = 0
    while true {
      let piece = try source.read(at: done, count: BackupFolder.pieceBytes)
      if piece.isEmpty { break }
      try target.write(piece, at: done)
      checksum.add(piece)
      done += piece.count
    }
    guard done == file.bytes, checksum.text == file.checksum else {
      throw StoreError(
        .corrupt,
        "\(source.path): \(done) bytes with checksum \(checksum.text), the backup was made with "
          + "\(file.bytes) and \(file.checksum); use another backup")
    }
    try target.sync()
  }

  /// Makes another store of it: the catalog and the header of each pack get a new UUID.
  private func giveIdentity(_ folder: String) throws(StoreError) {
    let uuid = UUID()
    try onDatabase("giving the store a new identity") {
      let queue = try DatabaseQueue(path: folder + "/" + Catalog.fileName)
      try queue.write { db in
        try db.execute(
          sql: "UPDATE store SET uuid = ?", arguments: [uuid.uuidString.lowercased()])
        try db.execute(sql: "DELETE FROM snapshot_lease")
      }
      try queue.close()
    }
    let packs = PackFolder(folder + "/packs", store: uuid)
    for number in try packs.numbers() {
      let file = try PosixFile(packs.path + "/" + PackFolder.name(number), .write)
      try file.write(packs.header(number), at: 0)
      try file.sync()
    }
  }

  private func verify(_ folder: String) async throws(StoreError) -> Check.Result {
    let store = try TripletStore(folder)
    let check: Check.Result
    do throws(StoreError) {
      check = try await store.check(isDeep: true)
    } catch {
      await store.close()
      throw error
    }
    await store.close()
    guard check.problems.isEmpty else {
      throw StoreError(
        .corrupt,
        "the restored store has \(check.problems.count) problems: \(check.problems[0]); use "
          + "another backup")
    }
    return check
  }
}
