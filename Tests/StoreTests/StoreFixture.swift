import Foundation
import GRDB
import Schema
import Synchronization
import TestSupport

@testable import Store

/// A store in a directory of its own, under a clock that the test moves.
final class StoreFixture: Sendable {
  let directory: TemporaryDirectory
  private let time = Mutex<Int64>(1_700_000_000_000_000)

  init() throws { directory = try TemporaryDirectory() }

  var path: String { directory.file("store") }

  /// Opens the store; only one at a time may be open.
  func open(_ options: StoreOptions = StoreOptions()) throws -> TripletStore {
    try TripletStore(path, options: options, clock: { [self] in time.withLock { $0 } })
  }

  /// Moves the clock.
  func advance(seconds: Int64) { time.withLock { $0 += seconds * 1_000_000 } }

  /// The bytes of a pack file.
  func pack(_ number: Int = 1) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path + "/packs/" + PackFolder.name(number)))
  }

  /// Replaces the bytes of a pack file.
  func writePack(_ data: Data, _ number: Int = 1) throws {
    try data.write(to: URL(fileURLWithPath: path + "/packs/" + PackFolder.name(number)))
  }
}

extension TripletStore {
  /// Makes a backfill job and leases its items.
  func order(
    _ category: String, target: Int, side: Int = 16, engine: String = "scenes", priority: Int = 0
  ) async throws -> [Backfill.Outcome] {
    try await backfill(
      [Backfill.Goal(category: CategoryName(category), target: target)], engine: engine,
      imageSize: side, priority: priority, seed: 7, companions: true)
  }

  /// Tries a change that the catalog's rules refuse.
  func breakRule() async throws(StoreError) {
    try await write { db, _, _ in
      try db.execute(sql: "INSERT INTO category (name, target) VALUES ('x', -1)")
    }
  }

  /// Leases up to `count` items.
  func take(_ count: Int, seconds: Int = 30) async throws -> [WorkItem] {
    try await lease(
      WorkLease.Params(worker: "test", engines: ["scenes"], count: count, leaseSeconds: seconds))
  }

  /// Brings a category to `count` triplets.
  func fill(_ category: String, _ count: Int, with others: [String] = []) async throws {
    _ = try await order(category, target: count)
    for item in try await take(256) {
      let triplet = try Triplet.sample(
        seed: UInt64(item.seed), categories: [category] + others)
      _ = try await submit(item.lease, EncodedTriplet(triplet))
    }
  }
}
