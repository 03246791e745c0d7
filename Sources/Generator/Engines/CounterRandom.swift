import Schema

/// Random numbers from a counter: number n of a key is `mix64(key + (n + 1) * 0x9E3779B97F4A7C15)`,
/// the SplitMix64 sequence, so that any machine and any language gets the same ones.
struct CounterRandom {
  private let key: UInt64
  private var counter: UInt64 = 0

  /// The sequence of a key.
  init(key: UInt64) { self.key = key }

  /// The sequence of a key's own branch, so that one part of a scene can draw more or fewer numbers
  /// without moving those of another.
  init(key: UInt64, branch: UInt64) { self.init(key: mix64(key ^ mix64(branch &+ 0x5DEE_CE66))) }

  /// The next 64 bits.
  mutating func next() -> UInt64 {
    counter &+= 1
    return mix64(key &+ counter &* 0x9E37_79B9_7F4A_7C15)
  }

  /// A whole number below `bound`; the bias is below `bound / 2^32`.
  mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0 && bound <= 1 << 31, "a random number below \(bound)")
    return Int((next() >> 32) &* UInt64(bound) >> 32)
  }

  /// A whole number of the range.
  mutating func whole(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + below(range.upperBound - range.lowerBound + 1)
  }

  /// A number from 0 up to but not including 1, a multiple of 2^-32.
  mutating func unit() -> Double { Double(next() >> 32) / 4_294_967_296 }

  /// A number of the range.
  mutating func number(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * unit()
  }
}
