import Schema

/// Damages inputs: the same seed and number give the same damage on every machine.
package struct Mutator {
  /// Bytes of the longest input.
  package static let maximumBytes = 4096
  private static let maximumSteps = 6

  private let probe: Probe
  private let seeds: [[UInt8]]
  private let words: [[UInt8]]

  /// A mutator of a probe's seeds and of further inputs.
  package init(_ probe: Probe, extra: [[UInt8]] = []) throws {
    self.probe = probe
    seeds = try probe.seeds() + extra
    words = probe.words
  }

  /// Input number `number`.
  package func input(_ number: Int, seed: UInt64) -> [UInt8] {
    var random = Numbers(mix64(seed) ^ UInt64(number))
    var input = seeds[random.below(seeds.count)]
    // Few changes keep most of an input whole, so that it gets past the first check.
    let steps = random.below(2) == 0 ? 1 : 1 + random.below(Self.maximumSteps)
    for _ in 0..<steps { change(&input, &random) }
    if input.count > Self.maximumBytes { input.removeLast(input.count - Self.maximumBytes) }
    if random.below(4) > 0 { probe.mend(&input) }
    return input
  }

  private func change(_ input: inout [UInt8], _ random: inout Numbers) {
    guard !input.isEmpty else { return input.append(UInt8(random.below(256))) }
    let place = random.below(input.count)
    switch random.below(11) {
    case 0: input[place] ^= 1 << UInt8(random.below(8))
    case 1: input[place] = UInt8(random.below(256))
    case 2: input[place] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF][random.below(6)]
    case 3: input.insert(UInt8(random.below(256)), at: place)
    case 4: input.removeSubrange(place..<min(input.count, place + 1 + random.below(16)))
    case 5: input.insert(contentsOf: words[random.below(words.count)], at: place)
    case 6:
      let word = words[random.below(words.count)]
      let end = min(input.count, place + word.count)
      input.replaceSubrange(place..<end, with: word)
    case 7:
      let piece = input[place..<min(input.count, place + 1 + random.below(64))]
      input.insert(contentsOf: Array(piece), at: random.below(input.count))
    case 8: changeNumber(&input, from: place, &random)
    case 9:
      let other = seeds[random.below(seeds.count)]
      input.replaceSubrange(place..., with: other.suffix(random.below(other.count + 1)))
    default: input.removeLast(min(input.count, 1 + random.below(1 + input.count / 4)))
    }
  }

  /// Puts another number where the next decimal number stands.
  private func changeNumber(_ input: inout [UInt8], from place: Int, _ random: inout Numbers) {
    guard let start = input[place...].firstIndex(where: { (0x30...0x39).contains($0) }) else {
      return
    }
    let end = input[start...].firstIndex { !(0x30...0x39).contains($0) } ?? input.count
    let numbers = ["0", "1", "7", "15", "17", "255", "256", "2048", "2049", "65536", "4294967296"]
    input.replaceSubrange(start..<end, with: Array(numbers[random.below(numbers.count)].utf8))
  }
}

/// Random numbers that the number of an input decides.
private struct Numbers {
  private var state: UInt64

  init(_ state: UInt64) { self.state = state }

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Int(mix64(state) % UInt64(bound))
  }
}
