import Foundation
import Schema
import Synchronization
import TestSupport
import Testing

@testable import Store

/// Quotas: refused before anything is written, and only what would not fit.
@Suite struct SpaceTests {
  private final class Disk: Sendable {
    let free = Mutex(1 << 40)
  }

  private func store(
    _ directory: TemporaryDirectory, _ limits: SpaceLimits, _ disk: Disk = Disk()
  ) throws -> TripletStore {
    var options = StoreOptions()
    options.space = limits
    options.snapshotLingerSeconds = 0
    options.freeBytes = { _ in disk.free.withLock { $0 } }
    return try TripletStore(directory.file("store"), options: options)
  }

  private func add(
    _ store: TripletStore, _ name: String, _ triplet: EncodedTriplet? = nil
  ) async -> StoreError? {
    do throws(StoreError) {
      let added = if let triplet { triplet } else { try Self.small() }
      _ = try await store.importItems([(name, added)], source: "s")
      return nil
    } catch {
      return error
    }
  }

  private static func small() throws(StoreError) -> EncodedTriplet {
    do {
      return try EncodedTriplet(.sample())
    } catch {
      throw StoreError(.invalidArgument, "\(error)")
    }
  }

  @Test("a full store refuses triplets, and nothing else; with room it goes on")
  func quota() async throws {
    let directory = try TemporaryDirectory()
    let store = try store(directory, SpaceLimits())
    _ = try await store.order("cat", target: 2)
    #expect(await add(store, "a")?.code == nil)
    let pack = store.summary.packBytes
    store.setSpaceLimits(SpaceLimits(maximumStoreBytes: store.storeBytes + 1000))
    #expect(store.fullness?.code == .full)
    let error = await add(store, "b")
    #expect(error?.code == .full)
    #expect(error?.message.contains("(store.maximum_store_bytes)") == true)
    #expect(store.summary.packBytes == pack)
    #expect(try await store.triplet(1).info.triplet == 1)
    // Other changes are taken, also those that wait for the same commit.
    let items = try await store.take(2)
    #expect(items.count == 2)
    try await store.release(items.map(\.lease))
    #expect(try await store.delete([1]).deleted == 1)
    store.setSpaceLimits(SpaceLimits(maximumStoreBytes: store.storeBytes + (1 << 20)))
    #expect(store.fullness?.code == nil)
    #expect(await add(store, "b")?.code == nil)
    #expect(try await store.check(isDeep: true).problems == [])
  }

  @Test("a triplet that does not fit leaves room for a smaller one in the same commit")
  func refusesAlone() async throws {
    let directory = try TemporaryDirectory()
    let store = try store(directory, SpaceLimits())
    let small = try EncodedTriplet(.sample())
    let large = try EncodedTriplet(.sample(side: 256))
    store.setSpaceLimits(SpaceLimits(maximumStoreBytes: store.storeBytes + 60_000))
    async let first = add(store, "large", large)
    async let second = add(store, "small", small)
    let (refused, taken) = await (first, second)
    #expect(refused?.code == .full && taken?.code == nil)
    #expect(store.summary.triplets == 1)
  }

  @Test("the reserve of the disk stays free; compaction may take half of it")
  func reserve() async throws {
    let directory = try TemporaryDirectory()
    let disk = Disk()
    let store = try store(directory, SpaceLimits(minimumFreeBytes: 1 << 20), disk)
    for name in ["a", "b", "c"] { #expect(await add(store, name)?.code == nil) }
    disk.free.withLock { $0 = 1 << 20 }
    let error = await add(store, "d")
    #expect(error?.code == .full && error?.message.contains("(store.minimum_free_bytes)") == true)
    #expect(store.fullness?.code == .full)
    _ = try await store.delete([1])
    disk.free.withLock { $0 = 1 << 19 }
    let refused = await #expect(throws: StoreError.self) {
      _ = try await store.compact(deadPercent: 1)
    }
    #expect(refused?.code == .full)
    disk.free.withLock { $0 = (1 << 19) + 100_000 }
    #expect(try await store.compact(deadPercent: 1).moved == 2)
    disk.free.withLock { $0 = 1 << 40 }
    #expect(await add(store, "d")?.code == nil)
    #expect(try await store.check(isDeep: true).problems == [])
  }

  @Test("a system call that finds no space is told as such")
  func systemErrors() {
    #expect(StoreError.system("pwrite", "x", errno: ENOSPC).code == .full)
    #expect(StoreError.system("pwrite", "x", errno: EDQUOT).code == .full)
    #expect(StoreError.system("pwrite", "x", errno: EIO).code == .unwritable)
  }
}
