import Foundation
import Schema
import Synchronization
import TestSupport
import Testing

@testable import Store

/// Workers, clients, compaction and crashes on one store, all decided by a seed, beside a model of what has to be true.
///
/// Time is a number that the simulation moves. A crash leaves the files as they are at that moment, which may be
/// a failpoint inside an operation; the run goes on with a copy of them.
actor Simulation {
  /// What the model knows of a triplet that is stored.
  struct Known: Equatable {
    let digest: UInt64
    let categories: [String]
    let job: Int64
    let ordinal: Int
  }

  /// A place in a job: an item.
  struct Place: Hashable {
    let job: Int64
    let ordinal: Int
  }

  static let categories = ["bus", "cat", "dog", "emu"]

  private let directory: TemporaryDirectory
  private let time = SimulatedTime()
  private let trap = Trap()
  private var random: SeededGenerator
  private var generation = 0
  private var store: TripletStore
  /// Acknowledged triplets that were not set aside.
  private var known: [TripletID: Known] = [:]
  private var aside: Set<TripletID> = []
  /// The triplet of every item that was acknowledged, for ever.
  private var done: [Place: TripletID] = [:]
  /// What may have been stored or not: an operation that a crash cut off.
  private var uncertain: [Place: Known] = [:]
  private var uncertainAside: TripletID?
  private var uncertainDeleted: Set<TripletID> = []
  private var held: [WorkItem] = []
  private var finished: [WorkItem] = []
  /// Lists of categories at older snapshots, as they were then.
  private var views: [(snapshot: Int64, lists: [[TripletID]])] = []
  /// What happened, for a failure's message.
  private(set) var journal: [String] = []
  /// Crashes so far.
  private(set) var crashes = 0

  init(seed: UInt64) throws {
    directory = try TemporaryDirectory()
    random = SeededGenerator(seed)
    store = try Self.open(directory.file("0"), time, trap)
  }

  private static func open(
    _ path: String, _ time: SimulatedTime, _ trap: Trap
  ) throws -> TripletStore {
    let failpoints = Failpoints { (point) throws(StoreError) in
      try trap.reach(point, path: path)
    }
    return try TripletStore(
      path, options: StoreOptions(failpoints: failpoints), clock: { time.now })
  }

  // MARK: The run

  /// Takes `steps` steps and checks everything at the end.
  func run(steps: Int) async throws {
    for step in 0..<steps {
      do {
        try await self.step()
      } catch let error as StoreError where trap.isSprung {
        note("cut off at \(trap.point?.rawValue ?? ""): \(error.message)")
      }
      if trap.isSprung { try await crash() }
      if step % 60 == 59 { try await check() }
    }
    trap.disarm()
    try await crash()
    try await check()
  }

  private func step() async throws {
    switch random.next() % 100 {
    case 0..<12: try await order()
    case 12..<34: try await lease()
    case 34..<62: try await submit()
    case 62..<67: try await submitAgain()
    case 67..<72: try await renew()
    case 72..<77: try await giveBack()
    case 77..<82: time.advance(seconds: Int64(random.next() % 40))
    case 82: time.advance(seconds: -1000)
    case 83: time.advance(seconds: 1000)
    case 84..<87: try await cancel()
    case 87..<90: await setAside()
    case 90..<92: try await look()
    case 92..<94: try await read()
    case 94: try await delete()
    case 95: try await compact()
    case 96: try await crash()
    default: trap.arm(after: Int(random.next() % 40))
    }
  }

  private func order() async throws {
    let name = pick(Self.categories)
    let stock = known.values.filter { $0.categories.contains(name) }.count
    note("backfill \(name)")
    _ = try await store.order(
      name, target: stock + Int(random.next() % 6), priority: Int(random.next() % 3))
  }

  private func lease() async throws {
    let items = try await store.take(
      1 + Int(random.next() % 4), seconds: 5 + Int(random.next() % 30))
    note("lease \(items.map { "\($0.job)/\($0.ordinal)/\($0.token)" })")
    for item in items {
      #expect(
        done[Place(job: item.job, ordinal: item.ordinal)] == nil, "a finished item is leased again")
    }
    held += items
  }

  private func submit() async throws {
    guard let item = removeHeld() else { return }
    try await submit(item)
  }

  private func submitAgain() async throws {
    let there = finished.filter { item in
      done[Place(job: item.job, ordinal: item.ordinal)].map { known[$0] != nil } ?? false
    }
    guard !there.isEmpty else { return }
    try await submit(pick(there))
  }

  private func submit(_ item: WorkItem) async throws {
    let place = Place(job: item.job, ordinal: item.ordinal)
    let others = random.next() % 3 == 0 ? [pick(Self.categories)] : []
    let names = [item.category.text] + others.filter { $0 != item.category.text }
    let triplet = try Triplet.sample(
      seed: UInt64(item.seed) &+ random.next() % 1000, categories: names)
    let entry = Known(
      digest: Self.digest(triplet.image), categories: names.sorted(), job: item.job,
      ordinal: item.ordinal)
    note("submit \(item.job)/\(item.ordinal)/\(item.token)")
    uncertain[place] = entry
    do throws(StoreError) {
      let result = try await store.submit(item.lease, EncodedTriplet(triplet))
      uncertain[place] = nil
      finished.append(item)
      if let before = done[place] {
        #expect(result.duplicate && result.triplet == before, "item \(place) became two triplets")
      } else {
        #expect(!result.duplicate, "item \(place) is said to be stored, and was not")
        done[place] = result.triplet
        known[result.triplet] = entry
      }
    } catch {
      if trap.isSprung { throw error }
      uncertain[place] = nil
      #expect([.tokenStale, .itemUnknown].contains(error.code), "\(error)")
    }
  }

  private func renew() async throws {
    guard let item = held.randomElement(using: &random) else { return }
    note("renew \(item.job)/\(item.ordinal)/\(item.token)")
    let lost = try await store.renew([item.lease], seconds: 20)
    held.removeAll { lost.contains($0.lease) }
  }

  private func giveBack() async throws {
    guard let item = removeHeld() else { return }
    if random.next() % 2 == 0 {
      note("release \(item.job)/\(item.ordinal)")
      try await store.release([item.lease], lost: random.next() % 2 == 0 ? [item.lease] : [])
    } else {
      note("fail \(item.job)/\(item.ordinal)")
      do throws(StoreError) {
        _ = try await store.fail(item.lease, error: "no paint")
      } catch {
        if trap.isSprung { throw error }
        #expect([.tokenStale, .itemUnknown].contains(error.code), "\(error)")
      }
    }
  }

  private func cancel() async throws {
    guard let job = try await store.jobs(.init()).randomElement(using: &random) else { return }
    note("cancel \(job.job)")
    _ = try await store.cancel([job.job])
  }

  private func setAside() async {
    guard let id = known.keys.sorted().randomElement(using: &random) else { return }
    note("set aside \(id)")
    uncertainAside = id
    await store.setAside(id, reason: "simulated")
    // This call hides its errors: with a trap that sprang nobody knows.
    guard !trap.isSprung else { return }
    uncertainAside = nil
    known[id] = nil
    aside.insert(id)
  }

  private func delete() async throws {
    let ids = Set((0..<3).compactMap { _ in known.keys.sorted().randomElement(using: &random) })
    note("delete \(ids.sorted())")
    uncertainDeleted = ids
    let result = try await store.delete(ids.sorted())
    #expect(result.deleted == ids.count && result.missing == [])
    uncertainDeleted = []
    for id in ids { known[id] = nil }
  }

  private func compact() async throws {
    note("compact")
    // Nobody holds the snapshots, so what was deleted since may be forgotten now.
    views = []
    _ = try await store.compact(deadPercent: 1)
  }

  private func look() async throws {
    guard !known.isEmpty else { return }
    let names = try Self.categories.map { try CategoryName($0) }
    do throws(StoreError) {
      let view = try await store.view(names)
      views.append((view.snapshot, Self.lists(view)))
    } catch {
      #expect(error.code == .categoryUnknown, "\(error)")
    }
  }

  private func read() async throws {
    guard let id = known.keys.sorted().randomElement(using: &random), let entry = known[id] else {
      return
    }
    let (info, image, _) = try await store.triplet(id)
    #expect(Self.digest(image) == entry.digest, "triplet \(id) is another")
    #expect(info.masks.map(\.category.text).sorted() == entry.categories)
  }

  // MARK: Crashes

  private func crash() async throws {
    crashes += 1
    generation += 1
    let path = directory.file("\(generation)")
    if let cut = trap.copied {
      try FileManager.default.moveItem(atPath: cut, toPath: path)
    } else {
      try FileManager.default.copyItem(atPath: directory.file("\(generation - 1)"), toPath: path)
    }
    note("crash \(crashes)")
    trap.disarm()
    await store.close()
    try FileManager.default.removeItem(atPath: directory.file("\(generation - 1)"))
    store = try Self.open(path, time, trap)
    try await adopt()
  }

  /// Takes into the model what a crash left of the operation that it cut off: all or nothing.
  private func adopt() async throws {
    let stored = try await liveTriplets()
    for id in stored.subtracting(known.keys) {
      let (info, image, _) = try await store.triplet(id)
      let found = uncertain.first { _, entry in
        entry.digest == Self.digest(image)
          && entry.categories == info.masks.map(\.category.text).sorted()
      }
      guard let (place, entry) = found else {
        Issue.record("triplet \(id) was never handed in")
        continue
      }
      #expect(done[place] == nil, "item \(place) became two triplets")
      (known[id], done[place]) = (entry, id)
    }
    if let id = uncertainAside, !stored.contains(id) {
      known[id] = nil
      aside.insert(id)
    }
    for id in uncertainDeleted where !stored.contains(id) { known[id] = nil }
    (uncertain, uncertainAside, uncertainDeleted) = ([:], nil, [])
  }

  // MARK: What has to be true

  private func check() async throws {
    let stored = try await liveTriplets()
    #expect(stored == Set(known.keys), "lost: \(Set(known.keys).subtracting(stored).sorted())")
    for (id, entry) in known.sorted(by: { $0.key < $1.key }) {
      let image = try await store.triplet(id).image
      #expect(Self.digest(image) == entry.digest, "triplet \(id) is another")
    }
    let counts = try store.counts().categories
    for name in Self.categories {
      let expected = known.values.filter { $0.categories.contains(name) }.count
      let found = counts.first { $0.category.text == name }?.stock ?? 0
      #expect(found == expected, "'\(name)' has \(found), \(expected) were acknowledged")
    }
    let result = try await store.check(isDeep: true)
    #expect(result.problems == [])
    for job in try await store.jobs(.init(limit: 1000)) {
      let finished = done.keys.filter { $0.job == job.job }.count
      #expect(job.done == finished, "job \(job.job): \(job.done) done, \(finished) acknowledged")
      #expect(job.done + job.parked <= job.items)
    }
    let names = try Self.categories.map { try CategoryName($0) }
    for view in views.suffix(6) {
      let again = try await store.view(names, at: view.snapshot)
      #expect(Self.lists(again) == view.lists, "snapshot \(view.snapshot) shows something else")
    }
  }

  private func liveTriplets() async throws -> Set<TripletID> {
    let view = try await store.view(nil)
    return Set(Self.lists(view).joined())
  }

  private static func lists(_ view: SnapshotView) -> [[TripletID]] {
    view.categories.indices.map { category in
      (0..<view.categories[category].count).map { view.triplet(category: category, item: $0) }
    }
  }

  // MARK: Small things

  private func note(_ text: String) { journal.append(text) }

  private func pick<Element>(_ list: [Element]) -> Element {
    list[Int(random.next() % UInt64(list.count))]
  }

  private func removeHeld() -> WorkItem? {
    guard !held.isEmpty else { return nil }
    return held.remove(at: Int(random.next() % UInt64(held.count)))
  }

  private static func digest(_ image: RGBImage) -> UInt64 {
    image.pixels.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
  }
}

/// The clock of a simulation.
private final class SimulatedTime: Sendable {
  private let value = Mutex<Int64>(1_700_000_000_000_000)

  var now: Int64 { value.withLock { $0 } }

  func advance(seconds: Int64) { value.withLock { $0 += seconds * 1_000_000 } }
}

/// Cuts the store off at a failpoint: keeps a copy of its files as they are there, then lets the step fail.
private final class Trap: Sendable {
  private struct State {
    var left: Int?
    var point: Failpoint?
    var copied: String?
  }

  private let state = Mutex(State())

  var isSprung: Bool { state.withLock { $0.point != nil } }
  var point: Failpoint? { state.withLock { $0.point } }
  var copied: String? { state.withLock { $0.copied } }

  /// Springs at the failpoint after `count` others.
  func arm(after count: Int) { state.withLock { if $0.point == nil { $0.left = count } } }

  func disarm() { state.withLock { $0 = State() } }

  func reach(_ point: Failpoint, path: String) throws(StoreError) {
    let springs = state.withLock { state -> Bool in
      // Nothing that comes behind the moment of the crash happened.
      guard state.point == nil else { return true }
      guard let left = state.left else { return false }
      state.left = left - 1
      guard left <= 0 else { return false }
      state.point = point
      let copy = path + "-cut"
      do {
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        state.copied = copy
      } catch {
        Issue.record("\(path) cannot be copied: \(error)")
      }
      return true
    }
    guard !springs else { throw StoreError(.unwritable, "cut off at \(point.rawValue)") }
  }
}
