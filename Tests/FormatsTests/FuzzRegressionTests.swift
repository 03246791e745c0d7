import Foundation
import FuzzProbes
import Testing

/// Inputs that once broke a reader, and a short run of damaged ones.
@Suite struct FuzzRegressionTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../Fixtures/fuzz")

  @Test("inputs that once broke a reader are read or refused", arguments: Probe.allCases)
  func regressions(probe: Probe) throws {
    let path = Self.folder.appendingPathComponent(probe.rawValue)
    guard FileManager.default.fileExists(atPath: path.path) else { return }
    for name in try FileManager.default.contentsOfDirectory(atPath: path.path) {
      probe.run([UInt8](try Data(contentsOf: path.appendingPathComponent(name))))
    }
  }

  @Test("seeds are read whole, damaged ones are read or refused", arguments: Probe.allCases)
  func damaged(probe: Probe) throws {
    for seed in try probe.seeds() { probe.run(seed) }
    let mutator = try Mutator(probe)
    var different = Set<[UInt8]>()
    for number in 0..<2000 {
      let input = mutator.input(number, seed: 99)
      #expect(input == mutator.input(number, seed: 99))
      different.insert(input)
      probe.run(input)
    }
    #expect(different.count > 1500)
  }
}
