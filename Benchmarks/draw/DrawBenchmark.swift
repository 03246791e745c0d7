import Foundation
import Schema
import Store

/// Times the drawing of batches from stores of 10,000 and of 10,000,000 triplets, and weighs the
/// index of the larger one; `make show-draw`.
///
/// The stores are indices without blobs, filled triplet by triplet as commits fill them. The two are
/// drawn from in turns, so that what else the machine does strikes both.
@main
struct DrawBenchmark {
  private static let smallCount = 10_000
  private static let largeCount = 10_000_000
  private static let kinds = 20
  private static let batchSize = 32
  private static let rounds = 101
  private static let batchesPerRound = 200
  private static let ratioBound = 1.3
  private static let bytesBound = 400_000_000

  static func main() throws {
    let start = try residentBytes()
    let large = try index(largeCount)
    let indexBytes = try residentBytes() - start
    let small = try index(smallCount)
    let selections: [Selection] = [
      .balanced, .natural, .weights((1...kinds).map(Double.init)),
      .repeatFactor(threshold: 0.1, power: 0.5), .mixture(unseen: [0, 1, 2], share: 0.5),
    ]
    var worst = 0.0
    var times: [String] = []
    for selection in selections {
      let (few, many) = try medians(selection, view(small), view(large))
      worst = max(worst, many / few)
      let name = selection.policy.rawValue
      print(
        "\(name): \(text(few * 1e6, 2)) us a batch of \(batchSize) at \(smallCount) triplets, "
          + "\(text(many * 1e6, 2)) us at \(largeCount), ratio \(text(many / few, 2))")
      times.append("\(name) \(text(many / few, 2))")
    }
    let passed = worst <= ratioBound && indexBytes <= bytesBound
    print(
      "show-draw: drawing at \(largeCount) triplets over drawing at \(smallCount): "
        + "\(times.joined(separator: ", ")); index of \(largeCount) triplets with 2 categories "
        + "each: \(indexBytes / 1_000_000) MB (bound: \(ratioBound), \(bytesBound / 1_000_000) MB) "
        + (passed ? "OK" : "FAILED"))
    if !passed { exit(1) }
  }

  /// An index of `count` triplets, each with two of the categories, added one by one.
  private static func index(_ count: Int) throws -> StoreIndex {
    var state = StoreIndex.State()
    for kind in 0..<kinds {
      state.entries[Int64(kind)] = StoreIndex.Entry(
        name: try CategoryName("category \(kind)"), list: CategoryList())
    }
    let index = StoreIndex(state)
    state = StoreIndex.State()
    for id in 1...Int64(count) {
      let random = mix64(UInt64(id))
      let first = Int64(random % UInt64(kinds))
      let second = (first + 1 + Int64((random >> 32) % UInt64(kinds - 1))) % Int64(kinds)
      index.update { state in
        state.entries[first]?.list.append(id)
        state.entries[second]?.list.append(id)
      }
    }
    return index
  }

  private static func view(_ index: StoreIndex) throws -> SnapshotView {
    let entries = index.read { $0.entries }
    return SnapshotView(
      snapshot: Int64(largeCount),
      categories: entries.sorted { $0.key < $1.key }.map { _, entry in
        .init(name: entry.name, count: entry.list.count, list: entry.list)
      })
  }

  /// The median processor seconds of a batch from each of two stores.
  private static func medians(
    _ selection: Selection, _ small: SnapshotView, _ large: SnapshotView
  ) throws -> (small: Double, large: Double) {
    let plans = try [small, large].map { view in
      try BatchPlan(
        batchSize: batchSize, categories: view.categories.map { ($0.name, $0.count) },
        selection: selection, seed: 7)
    }
    var times: [[Double]] = [[], []]
    var sum: Int64 = 0
    for round in 0..<rounds {
      for (store, view) in [small, large].enumerated() {
        let begin = try processorSeconds()
        // No batch comes twice: a training run draws from all over its lists.
        for number in (round * batchesPerRound)..<((round + 1) * batchesPerRound) {
          for id in view.triplets(plans[store].draws(batch: number)) { sum &+= id }
        }
        times[store].append((try processorSeconds() - begin) / Double(batchesPerRound))
      }
    }
    // What nobody uses, the optimiser may leave out.
    guard sum != 0 else { throw CocoaError(.featureUnsupported) }
    return (times[0].sorted()[rounds / 2], times[1].sorted()[rounds / 2])
  }

  /// Time that this thread has had a processor: what others take of a busy machine is not in it,
  /// what waiting for memory takes is.
  private static func processorSeconds() throws -> Double {
    var time = timespec()
    guard unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 else {
      throw CocoaError(.featureUnsupported)
    }
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Memory of this process that is not on disk alone.
  private static func residentBytes() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(
      separator: " ")
    guard fields.count > 1, let pages = Int(fields[1]) else {
      throw CocoaError(.fileReadCorruptFile)
    }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  private static func text(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }
}
