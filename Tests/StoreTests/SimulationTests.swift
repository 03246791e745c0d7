import Foundation
import TestSupport
import Testing

/// Jobs, leases, packs and streams under seeded faults; see ``Simulation``.
///
/// `GROUNDWELL_SIMULATIONS=COUNT` runs more seeds, `GROUNDWELL_SIMULATION_SEED=SEED` one again.
@Suite struct SimulationTests {
  private static let seeds: Range<UInt64> = {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["GROUNDWELL_SIMULATION_SEED"].flatMap(UInt64.init) {
      return seed..<seed + 1
    }
    let count = environment["GROUNDWELL_SIMULATIONS"].flatMap(UInt64.init) ?? 8
    return 1..<max(count, 1) + 1
  }()

  @Test("what was acknowledged is there, once, after any crash", .tags(.slow), arguments: seeds)
  func simulates(seed: UInt64) async throws {
    let simulation = try Simulation(seed: seed)
    do {
      try await simulation.run(steps: 300)
    } catch {
      let last = await simulation.journal.suffix(12).joined(separator: "\n")
      Issue.record("seed \(seed): \(error)\n\(last)")
    }
    #expect(await simulation.crashes > 0)
  }
}
