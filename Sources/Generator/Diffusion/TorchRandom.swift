import Foundation

/// The normal numbers that PyTorch's CPU generator draws for a seed, so that a seed gives the same
/// picture here and there.
///
/// MT19937 (Matsumoto and Nishimura, 1998); 16 numbers and more come from 24-bit uniforms by
/// Box-Muller in blocks of 16 that pair value `j` with `j + 8`, fewer one at a time in double
/// precision (`aten/src/ATen/native/cpu/DistributionTemplates.h` and
/// `ATen/core/DistributionsHelper.h` of PyTorch 2).
package struct TorchRandom: Sendable {
  private static let stateSize = 624
  private static let period = 397
  private static let block = 16

  private var state: [UInt32]
  private var position = TorchRandom.stateSize
  private var spare: Double?

  /// A generator after `manual_seed(seed)`; only the low 32 bits count, as in PyTorch.
  package init(seed: UInt64) {
    state = [UInt32(truncatingIfNeeded: seed)]
    for index in 1..<Self.stateSize {
      let last = state[index - 1]
      state.append(1_812_433_253 &* (last ^ (last >> 30)) &+ UInt32(index))
    }
  }

  /// The next `count` numbers of `torch.randn`.
  package mutating func normals(_ count: Int) -> [Float] {
    guard count >= Self.block else { return (0..<count).map { _ in Float(normal()) } }
    var values = (0..<count).map { _ in uniform() }
    for start in stride(from: 0, through: count - Self.block, by: Self.block) {
      Self.transform(&values, start)
    }
    if count % Self.block != 0 {
      let start = count - Self.block
      for index in start..<count { values[index] = uniform() }
      Self.transform(&values, start)
    }
    return values
  }

  private static func transform(_ values: inout [Float], _ start: Int) {
    for index in start..<start + block / 2 {
      let radius = (-2 * log(1 - values[index])).squareRoot()
      let angle = 2 * Float.pi * values[index + block / 2]
      values[index] = radius * cos(angle)
      values[index + block / 2] = radius * sin(angle)
    }
  }

  private mutating func uniform() -> Float {
    Float(next() & 0xFF_FFFF) / Float(1 << 24)
  }

  private mutating func normal() -> Double {
    if let value = spare {
      spare = nil
      return value
    }
    let first = uniformDouble()
    let second = uniformDouble()
    let radius = (-2 * log1p(-second)).squareRoot()
    spare = radius * sin(2 * Double.pi * first)
    return radius * cos(2 * Double.pi * first)
  }

  private mutating func uniformDouble() -> Double {
    let high = UInt64(next())
    let bits = high << 32 | UInt64(next())
    return Double(bits & ((1 << 53) - 1)) / Double(UInt64(1) << 53)
  }

  private mutating func next() -> UInt32 {
    if position == Self.stateSize { refill() }
    var value = state[position]
    position += 1
    value ^= value >> 11
    value ^= (value << 7) & 0x9D2C_5680
    value ^= (value << 15) & 0xEFC6_0000
    return value ^ (value >> 18)
  }

  private mutating func refill() {
    for index in 0..<Self.stateSize {
      let next = state[(index + 1) % Self.stateSize]
      let mixed = (state[index] & 0x8000_0000) | (next & 0x7FFF_FFFF)
      let twisted = (mixed >> 1) ^ (mixed & 1 == 0 ? 0 : 0x9908_B0DF)
      state[index] = state[(index + Self.period) % Self.stateSize] ^ twisted
    }
    position = 0
  }
}
