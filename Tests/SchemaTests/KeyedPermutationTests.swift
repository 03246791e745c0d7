import Schema
import Testing

/// The permutation behind every stream.
@Suite struct KeyedPermutationTests {
  @Test("every count from 1 to 300 gives a permutation, under every key")
  func permutes() {
    for count in 1...300 {
      for key in [0, 1, 0xFFFF_FFFF_FFFF_FFFF, UInt64(count) &* 0x9E37_79B9_7F4A_7C15] {
        let permutation = KeyedPermutation(count: count, key: key)
        #expect(
          Set((0..<count).map { permutation($0) }) == Set(0..<count), "\(count) under \(key)")
      }
    }
  }

  @Test(
    "samples of a big permutation lie inside and never meet",
    arguments: [65_535, 65_536, 65_537, 10_000_000, 1 << 33, (1 << 40) - 1, 1 << 40])
  func permutesBig(count: Int) {
    let permutation = KeyedPermutation(count: count, key: 42)
    let indices = (0..<1000).map { $0 * (count / 1000) } + [count - 1]
    let images = indices.map { permutation($0) }
    #expect(Set(images).count == Set(indices).count)
    #expect(images.allSatisfy { (0..<count).contains($0) })
    #expect(images != indices)
  }

  @Test("keys that differ in one bit give orders that have little in common")
  func differs() {
    let count = 1000
    let first = KeyedPermutation(count: count, key: 7)
    for bit in 0..<64 {
      let second = KeyedPermutation(count: count, key: 7 ^ (1 << UInt64(bit)))
      let same = (0..<count).filter { first($0) == second($0) }.count
      // One fixed point is expected between two random orders; 15 has odds below 1e-12.
      #expect(same < 15, "bit \(bit): \(same) of \(count) at the same place")
    }
  }

  @Test("over many keys every value is about as often first as any other")
  func isFair() {
    var counts = [Int](repeating: 0, count: 10)
    for key in 0..<10_000 {
      counts[KeyedPermutation(count: 10, key: mix64(UInt64(key)))(0)] += 1
    }
    // 1000 each with a standard deviation of 30: six of them either way.
    #expect(counts.allSatisfy { (820...1180).contains($0) }, "\(counts)")
  }

  @Test("a count of 0 and an index outside are bugs and trap")
  func traps() async {
    await #expect(processExitsWith: .failure) { _ = KeyedPermutation(count: 0, key: 1) }
    await #expect(processExitsWith: .failure) { _ = KeyedPermutation(count: 3, key: 1)(3) }
    await #expect(processExitsWith: .failure) { _ = KeyedPermutation(count: 3, key: 1)(-1) }
  }
}
