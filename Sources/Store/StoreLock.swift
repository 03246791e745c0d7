import Foundation

/// The claim of one process on a store: a locked file that holds its process id.
///
/// The kernel drops the lock when the process ends, however it ends, so nothing is ever stale.
struct StoreLock: Sendable {
  private let file: PosixFile

  /// Claims the store at `directory`.
  ///
  /// - Throws: ``StoreError/Code/locked`` with the owner's process id.
  init(_ directory: String) throws(StoreError) {
    let path = directory + "/lock"
    do throws(StoreError) {
      file = try PosixFile(path, .create)
    } catch {
      file = try PosixFile(path, .write)
    }
    guard file.tryLock() else {
      let owner = String(decoding: try file.read(at: 0, count: 20), as: UTF8.self)
        .trimmingCharacters(in: .whitespacesAndNewlines)
      throw StoreError(
        .locked,
        "\(directory) is in use by process \(owner.isEmpty ? "?" : owner); "
          + "one daemon owns a store: stop that one, or choose another store")
    }
    try file.truncate(to: 0)
    try file.write(Array("\(ProcessInfo.processInfo.processIdentifier)\n".utf8), at: 0)
  }
}
