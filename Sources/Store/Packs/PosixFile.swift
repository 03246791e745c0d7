private import CDisk
import Foundation

/// One open file, read and written at stated places; closed when the last reference goes.
final class PosixFile: Sendable {
  /// Where it is, for messages.
  let path: String
  private let descriptor: Int32

  /// How a file is opened.
  enum Mode {
    /// Must exist.
    case read
    /// Must exist.
    case write
    /// Must not exist.
    case create
  }

  /// Opens the file at `path`.
  ///
  /// - Throws: ``StoreError/Code/unwritable`` with the system's reason.
  init(_ path: String, _ mode: Mode) throws(StoreError) {
    let flags: Int32 =
      switch mode {
      case .read: O_RDONLY
      case .write: O_RDWR
      case .create: O_RDWR | O_CREAT | O_EXCL
      }
    // Safe: the path is a Swift string, passed for the duration of the call.
    let result = unsafe open(path, flags | O_CLOEXEC, 0o600)
    guard result >= 0 else { throw StoreError.system("open", path, errno: errno) }
    descriptor = result
    self.path = path
  }

  deinit { close(descriptor) }

  /// Bytes of the file.
  func length() throws(StoreError) -> Int {
    let end = lseek(descriptor, 0, SEEK_END)
    guard end >= 0 else { throw StoreError.system("lseek", path, errno: errno) }
    return Int(end)
  }

  /// Up to `count` bytes from `offset`; fewer only at the end of the file.
  func read(at offset: Int, count: Int) throws(StoreError) -> [UInt8] {
    var failure: Int32 = 0
    // Safe: each read stays within the buffer, and `filled` says how much of it is set.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = 0
      while filled < count {
        let result = unsafe pread(
          descriptor, buffer.baseAddress?.advanced(by: filled), count - filled,
          off_t(offset + filled))
        if result < 0, errno == EINTR { continue }
        if result < 0 { failure = errno }
        if result <= 0 { break }
        filled += result
      }
    }
    guard failure == 0 else { throw StoreError.system("pread", path, errno: failure) }
    return bytes
  }

  /// Fills `buffer` from `offset`; answers how many bytes there were, fewer only at the end.
  func read(
    at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> Int {
    var filled = 0
    let count = buffer.count
    while filled < count {
      // Safe: each read stays within the buffer.
      let result = unsafe pread(
        descriptor, buffer.baseAddress?.advanced(by: filled), count - filled,
        off_t(offset + filled))
      if result < 0, errno == EINTR { continue }
      guard result >= 0 else { throw StoreError.system("pread", path, errno: errno) }
      if result == 0 { break }
      filled += result
    }
    return filled
  }

  /// Writes all of `bytes` at `offset`.
  func write(_ bytes: [UInt8], at offset: Int) throws(StoreError) {
    var written = 0
    while written < bytes.count {
      // Safe: the pointer stays within the array for the duration of the call.
      let result = unsafe bytes.withUnsafeBytes { buffer in
        unsafe pwrite(
          descriptor, buffer.baseAddress?.advanced(by: written), bytes.count - written,
          off_t(offset + written))
      }
      if result < 0, errno == EINTR { continue }
      guard result > 0 else { throw StoreError.system("pwrite", path, errno: errno) }
      written += result
    }
  }

  /// Waits until everything written is on the disk.
  func sync() throws(StoreError) {
    guard fdatasync(descriptor) == 0 else {
      throw StoreError.system("fdatasync", path, errno: errno)
    }
  }

  /// Has the disk begin to take the written bytes of `range`, and does not wait for it.
  ///
  /// Says nothing of durability and does not fail: ``sync()`` tells what becomes of them.
  func startWriting(_ range: Range<Int>) {
    _ = gw_start_writing(descriptor, Int64(range.lowerBound), Int64(range.count))
  }

  /// Cuts the file off behind `length` bytes.
  func truncate(to length: Int) throws(StoreError) {
    guard ftruncate(descriptor, off_t(length)) == 0 else {
      throw StoreError.system("ftruncate", path, errno: errno)
    }
  }

  /// The length of the file at `path`; nil when there is none.
  static func length(ofFileAt path: String) throws(StoreError) -> Int? {
    var facts = stat()
    // Safe: the path is a Swift string and the struct lives for the duration of the call.
    guard unsafe stat(path, &facts) == 0 else {
      guard errno == ENOENT else { throw StoreError.system("stat", path, errno: errno) }
      return nil
    }
    return Int(facts.st_size)
  }

  /// Takes an exclusive lock without waiting; false when another process holds it.
  func tryLock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

  /// Makes the entries of a directory durable.
  static func syncDirectory(_ path: String) throws(StoreError) {
    // Safe: the path is a Swift string, passed for the duration of the call.
    let directory = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw StoreError.system("open", path, errno: errno) }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw StoreError.system("fsync", path, errno: errno) }
  }
}
