private import Foundation

/// A folder that appears under its name only when it is complete.
///
/// Until ``finish()`` it is `NAME.partial`, with a mark inside by which a later run knows what an
/// interrupted one has left and clears it away.
package struct PartialFolder: Sendable {
  private static let mark = ".groundwell-export"

  /// The name it will have.
  package let path: String
  /// Where it is until then.
  package var partial: String { path + ".partial" }

  /// Makes the folder.
  ///
  /// - Throws: ``FormatError/Code/unwritable`` when something of that name is there already.
  package init(_ path: String) throws(FormatError) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
    let files = FileManager.default
    guard !files.fileExists(atPath: path) else {
      throw FormatError(
        .unwritable, "\(path) is there already; name another folder, or remove it first")
    }
    if files.fileExists(atPath: partial) {
      guard files.fileExists(atPath: partial + "/" + Self.mark) else {
        throw FormatError(
          .unwritable, "\(partial) is there and no export left it; remove it or name another folder"
        )
      }
      try attempt("cannot be cleared away", partial) { try files.removeItem(atPath: partial) }
    }
    try attempt("cannot be created", partial) {
      try files.createDirectory(atPath: partial, withIntermediateDirectories: true)
    }
    try write([], to: Self.mark)
  }

  /// Makes a folder inside.
  package func folder(_ name: String) throws(FormatError) {
    try attempt("cannot be created", partial + "/" + name) {
      try FileManager.default.createDirectory(
        atPath: partial + "/" + name, withIntermediateDirectories: true)
    }
  }

  /// Writes a file inside.
  package func write(_ bytes: [UInt8], to name: String) throws(FormatError) {
    try attempt("cannot be written", partial + "/" + name) {
      try Data(bytes).write(to: URL(fileURLWithPath: partial + "/" + name))
    }
  }

  /// Gives the folder its name.
  package func finish() throws(FormatError) {
    try attempt("cannot be removed", partial + "/" + Self.mark) {
      try FileManager.default.removeItem(atPath: partial + "/" + Self.mark)
    }
    // Safe: both paths are Swift strings, passed for the duration of the call.
    guard unsafe rename(partial, path) == 0 else {
      // Safe: the text is copied before another call can change it.
      let reason = unsafe String(cString: strerror(errno))
      throw FormatError(.unwritable, "\(partial) cannot be renamed to \(path): \(reason)")
    }
  }

  /// Removes what was written; for an export that has failed.
  package func discard() {
    do { try FileManager.default.removeItem(atPath: partial) } catch { return }
  }
}

/// Runs file work and gives its failures this module's type.
func attempt(
  _ failure: String, _ path: String, _ body: () throws -> Void
) throws(FormatError) {
  do {
    try body()
  } catch {
    let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    throw FormatError(
      .unwritable, "\(path) \(failure): \((cause ?? error as NSError).localizedDescription)")
  }
}

/// A file that grows by pieces.
final class GrowingFile {
  private static let bufferBytes = 1 << 20

  private let path: String
  private let handle: FileHandle
  private var buffer: [UInt8] = []
  /// Bytes written so far.
  private(set) var byteCount = 0

  init(_ path: String) throws(FormatError) {
    self.path = path
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let handle = FileHandle(forWritingAtPath: path)
    else { throw FormatError(.unwritable, "\(path) cannot be written") }
    self.handle = handle
  }

  func append(_ bytes: some Sequence<UInt8>) throws(FormatError) {
    let before = buffer.count
    buffer.append(contentsOf: bytes)
    byteCount += buffer.count - before
    if buffer.count >= Self.bufferBytes { try flush() }
  }

  private func flush() throws(FormatError) {
    let bytes = buffer
    buffer.removeAll(keepingCapacity: true)
    try attempt("cannot be written", path) { try handle.write(contentsOf: Data(bytes)) }
  }

  func close() throws(FormatError) {
    try flush()
    try attempt("cannot be closed", path) { try handle.close() }
  }
}
