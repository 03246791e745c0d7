/// A permutation of `0..<count` that a 64-bit key selects, evaluated at any place in expected
/// constant time and without memory.
///
/// An alternating Feistel network over the smallest power of two that holds `count` values (at
/// least 4), walked along its cycle until it lands inside (Black and Rogaway, "Ciphers with
/// Arbitrary Finite Domains", CT-RSA 2002; below two evaluations on average for `count` over 2).
/// `schema/README.md` writes the arithmetic down so that any client can repeat it.
public struct KeyedPermutation: Sendable {
  /// Even, so that both halves have their first width again at the end.
  private static let roundCount: UInt64 = 8

  private let count: UInt64
  private let leftBits: UInt64
  private let rightBits: UInt64
  private let key: UInt64

  /// The permutation of `0..<count` that `key` selects.
  ///
  /// - Precondition: `count` is 1 to 2^40.
  public init(count: Int, key: UInt64) {
    precondition(count >= 1 && count <= 1 << 40, "a permutation of \(count) values")
    self.count = UInt64(count)
    let bits = UInt64(max(2, Int.bitWidth - (count - 1).leadingZeroBitCount))
    leftBits = bits / 2
    rightBits = bits - bits / 2
    self.key = key
  }

  /// Where `index` goes.
  ///
  /// - Precondition: `index` lies in `0..<count`.
  public func callAsFunction(_ index: Int) -> Int {
    precondition(index >= 0 && index < count, "index \(index) of \(count)")
    var value = UInt64(index)
    repeat { value = encipher(value) } while value >= count
    return Int(value)
  }

  private func encipher(_ value: UInt64) -> UInt64 {
    var (leftWidth, rightWidth) = (leftBits, rightBits)
    var left = value >> rightWidth
    var right = value & ((1 << rightWidth) - 1)
    for round in 0..<Self.roundCount {
      let mixed = mix64(key &+ round &* 0x9E37_79B9_7F4A_7C15 &+ right)
      (left, right) = (right, left ^ (mixed & ((1 << leftWidth) - 1)))
      (leftWidth, rightWidth) = (rightWidth, leftWidth)
    }
    return left << rightWidth | right
  }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, variant 13 of Stafford).
public func mix64(_ value: UInt64) -> UInt64 {
  var z = value
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}

/// 64-bit FNV-1a over the UTF-8 bytes of `text`.
public func fnv1a64(_ text: String) -> UInt64 {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
  return hash
}
