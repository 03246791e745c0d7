/// Writes one tar archive (POSIX.1-1988 ustar).
struct TarFile {
  private static let blockBytes = 512

  private let file: GrowingFile

  /// Begins an archive.
  init(_ path: String) throws(FormatError) { file = try GrowingFile(path) }

  /// Bytes written so far.
  var byteCount: Int { file.byteCount }

  /// Adds a file.
  ///
  /// - Precondition: `name` has at most 100 bytes.
  func add(_ name: String, _ bytes: [UInt8], modifiedSeconds: Int) throws(FormatError) {
    precondition(name.utf8.count <= 100, "\(name) is too long for a tar header")
    var header = [UInt8](repeating: 0, count: Self.blockBytes)
    func put(_ text: String, at offset: Int) {
      for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
    }
    func octal(_ value: Int, digits: Int) -> String {
      let text = String(max(0, value), radix: 8)
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    put(name, at: 0)
    put("0000644", at: 100)
    put("0000000", at: 108)
    put("0000000", at: 116)
    put(octal(bytes.count, digits: 11), at: 124)
    put(octal(modifiedSeconds, digits: 11), at: 136)
    put("        ", at: 148)
    put("0", at: 156)
    put("ustar\u{0}00", at: 257)
    let sum = header.reduce(0) { $0 + Int($1) }
    put(octal(sum, digits: 6) + "\u{0} ", at: 148)
    try file.append(header)
    try file.append(bytes)
    let rest = bytes.count % Self.blockBytes
    if rest > 0 { try file.append(repeatElement(0, count: Self.blockBytes - rest)) }
  }

  /// Writes the end of the archive.
  func finish() throws(FormatError) {
    try file.append(repeatElement(0, count: 2 * Self.blockBytes))
    try file.close()
  }
}
