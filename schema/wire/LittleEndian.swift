extension FixedWidthInteger {
  /// Reads a number from its bytes, lowest first.
  ///
  /// - Precondition: as many bytes as the type has.
  public init(littleEndianBytes bytes: some Collection<UInt8>) {
    precondition(bytes.count == MemoryLayout<Self>.size, "\(bytes.count) bytes for \(Self.self)")
    var value: Self = 0
    var shift = 0
    for byte in bytes {
      value |= Self(truncatingIfNeeded: byte) << Self(truncatingIfNeeded: shift)
      shift += 8
    }
    self = value
  }

  /// The bytes of the number, lowest first.
  public var littleEndianBytes: [UInt8] {
    (0..<MemoryLayout<Self>.size).map { index in
      UInt8(truncatingIfNeeded: self >> Self(truncatingIfNeeded: index * 8))
    }
  }
}

extension [UInt8] {
  /// Adds the bytes of a number, lowest first.
  public mutating func append(littleEndian number: some FixedWidthInteger) {
    // Safe: the bytes of a number are read while it lives.
    unsafe Swift.withUnsafeBytes(of: number.littleEndian) { unsafe append(contentsOf: $0) }
  }
}
