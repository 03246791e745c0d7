import Foundation

/// The bytes of a file, mapped into memory for reading.
///
/// Pages are read when they are first touched and shared with every other process that maps the
/// file. A file that another process shortens while it is mapped ends this process with a bus
/// error, as for every program that maps files: model files are replaced, not edited.
@safe final class MappedFile: @unchecked Sendable {
  // Nothing changes after `init`, and the memory is read-only.
  let path: String
  let count: Int
  private let base: UnsafeMutableRawPointer?

  /// Maps the file at `path`.
  ///
  /// - Throws: ``GeneratorError/Code/fileAccess``.
  init(path: String) throws(GeneratorError) {
    self.path = path
    // Safe: Swift lends the path as a C string for the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure("open", path) }
    defer { close(descriptor) }
    var status = stat()
    // Safe: `status` outlives the call.
    guard unsafe fstat(descriptor, &status) == 0 else { throw Self.failure("stat", path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw GeneratorError(.fileAccess, "\(path): not a regular file")
    }
    count = Int(status.st_size)
    guard count > 0 else {
      unsafe base = nil
      return
    }
    // Safe: a fresh read-only mapping; `deinit` unmaps it.
    unsafe base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard unsafe base != MAP_FAILED else { throw Self.failure("map", path) }
  }

  /// The byte at `offset`; valid while the file is mapped.
  ///
  /// - Precondition: `offset` lies inside the file.
  @unsafe func pointer(at offset: Int) -> UnsafeRawPointer {
    guard let base = unsafe base, offset >= 0, offset <= count else {
      preconditionFailure("byte \(offset) of \(path), which has \(count)")
    }
    return unsafe UnsafeRawPointer(base + offset)
  }

  /// Bytes `range`, copied.
  func bytes(_ range: Range<Int>) -> [UInt8] {
    guard !range.isEmpty else { return [] }
    precondition(range.upperBound <= count, "bytes \(range) of \(path), which has \(count)")
    // Safe: the range was checked against the mapping.
    return unsafe Array(
      UnsafeRawBufferPointer(start: pointer(at: range.lowerBound), count: range.count))
  }

  /// Tells the kernel that the pages of `range` are not needed for now.
  func forget(_ range: Range<Int>) {
    let page = 4096
    let start = (range.lowerBound + page - 1) / page * page
    let end = range.upperBound / page * page
    guard start < end, let base = unsafe base else { return }
    // Safe: whole pages of a read-only private mapping; they are read again when touched.
    _ = unsafe madvise(base + start, end - start, MADV_DONTNEED)
  }

  /// Lets all pages go until they are touched again.
  func forget() { forget(0..<count) }

  deinit {
    // Safe: nobody holds a pointer past the life of the file.
    if let base = unsafe base { unsafe munmap(base, count) }
  }

  private static func failure(_ action: String, _ path: String) -> GeneratorError {
    // Safe: strerror returns a C string that is copied at once.
    let reason = unsafe String(cString: strerror(errno))
    return GeneratorError(.fileAccess, "\(path): could not \(action) it: \(reason)")
  }
}
