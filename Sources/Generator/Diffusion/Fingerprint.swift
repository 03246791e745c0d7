/// 64-bit hashes of weights, for provenance: which model a triplet was made with.
package enum Fingerprint {
  /// Bytes of one file that are hashed on their own; the pieces run on all threads.
  static let pieceBytes = 16 << 20

  /// The hash of all weight files of a model, 16 hexadecimal digits.
  ///
  /// It depends on the bytes of the files and the parts they belong to, not on where the model lies.
  ///
  /// - Throws: ``GeneratorError/Code/badCheckpoint``, ``GeneratorError/Code/fileAccess``.
  package static func model(
    _ directory: ModelDirectory, workspace: Workspace
  ) throws(GeneratorError) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for part in ModelDirectory.Part.allCases {
      for byte in part.rawValue.utf8 { hash = mixed(hash ^ UInt64(byte)) }
      for path in try directory.weightFiles(part) {
        hash = mixed(hash ^ file(try MappedFile(path: path), workspace: workspace))
      }
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func file(_ file: MappedFile, workspace: Workspace) -> UInt64 {
    let pieces = (file.count + pieceBytes - 1) / pieceBytes
    let hashes = PieceHashes(count: pieces)
    workspace.parallel(pieces) { piece in
      let range = piece * pieceBytes..<min((piece + 1) * pieceBytes, file.count)
      hashes.set(piece, hash(file, range))
      file.forget(range)
    }
    return hashes.values.reduce(UInt64(file.count)) { mixed($0 ^ $1) }
  }

  /// Eight bytes at a time through SplitMix64's finaliser in four independent lanes.
  private static func hash(_ file: MappedFile, _ range: Range<Int>) -> UInt64 {
    var lanes = SIMD4<UInt64>(1, 2, 3, 4)
    let multiplier = SIMD4<UInt64>(repeating: 0x9FB2_1C65_1E98_DF25)
    // Safe: the range lies inside the file, and loads need no alignment.
    let base = unsafe file.pointer(at: range.lowerBound)
    var offset = 0
    while offset + 32 <= range.count {
      lanes ^= unsafe base.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
      lanes = lanes &* multiplier
      lanes ^= lanes &>> 29
      offset += 32
    }
    var result = UInt64(range.count)
    for lane in 0..<4 { result = mixed(result ^ lanes[lane]) }
    while offset < range.count {
      result = mixed(result ^ UInt64(unsafe base.load(fromByteOffset: offset, as: UInt8.self)))
      offset += 1
    }
    return result
  }

  /// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
