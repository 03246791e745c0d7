import Dispatch
import Foundation
import GRDB
import Schema
import Synchronization

/// The store of one daemon: triplets, their blobs, counts, and the queue of work.
///
/// Every change goes through one queue, which gathers what has come in meanwhile, writes its
/// blobs, waits for the disk once, and commits the catalog once: many writers share one sync. A
/// change is acknowledged (its call returns) only then. Counts, lists and snapshots are answered
/// from memory and never wait for the disk.
///
/// - Note: One process at a time; ``open(_:clock:)`` refuses a store that another one holds.
public actor TripletStore {
  private let executor: SerialQueueExecutor
  /// The store's own queue; its calls block on the disk.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    // Safe: the executor lives as long as the actor that owns it.
    unsafe executor.asUnownedSerialExecutor()
  }

  /// The folder.
  public nonisolated let path: String
  /// The identity of the store.
  public nonisolated let uuid: String
  nonisolated let index: StoreIndex
  nonisolated let packs: PackFolder
  nonisolated let factsCache = FactsCache()
  /// Memory for what was read and checked of small triplets.
  nonisolated let smallTriplets = MemoryBudget(bytes: 192 << 20)
  /// Decoded images.
  public nonisolated let pixelCache: PixelCache
  nonisolated let options: StoreOptions
  nonisolated let leases: SnapshotLeases
  nonisolated let space: StoreSpace
  let catalog: Catalog

  /// Held until ``close()``.
  private var lock: StoreLock?
  private let clock: @Sendable () -> Int64
  private let onChange: @Sendable (StoreChange) -> Void
  var writer: PackWriter
  /// Prompts that are not yet in the full text.
  private(set) var promptsWaiting: Int
  /// What goes through the whole store at the moment; one such task at a time.
  var maintenance: String?
  /// The snapshots that the catalog promises to keep, and until when.
  var promised: [Int64: Int64] = [:]
  /// The copy of the catalog that a backup is making.
  var catalogCopy: CatalogCopy?
  nonisolated let pending = PendingWrites()
  /// Set when the disk refused a sync: what it holds is unknown until the store is opened again.
  var failure: StoreError?

  /// Opens the store in the folder `path`, creating it, and makes good after a crash.
  ///
  /// - Parameters:
  ///   - options: what it may take, and what a test interferes with.
  ///   - clock: microseconds since 1970.
  ///   - onChange: called behind every commit, on the store's queue.
  /// - Throws: ``StoreError/Code/locked``, ``StoreError/Code/newerVersion``,
  ///   ``StoreError/Code/corrupt``, ``StoreError/Code/unwritable``.
  public init(
    _ path: String, options: StoreOptions = StoreOptions(),
    clock: @escaping @Sendable () -> Int64 = TripletStore.systemClock,
    onChange: @escaping @Sendable (StoreChange) -> Void = { _ in }
  ) throws(StoreError) {
    try Self.createFolders(path)
    lock = try StoreLock(path)
    executor = SerialQueueExecutor(label: "store")
    let failpoints = options.failpoints
    catalog = try Catalog(
      path + "/" + Catalog.fileName, now: clock(), hasPacks: Self.hasPacks(path + "/packs"),
      failpoints: failpoints)
    packs = PackFolder(path + "/packs", store: catalog.uuid, failpoints: failpoints)
    writer = try Recovery(
      catalog: catalog, packs: packs, failpoints: failpoints, sealBytes: options.sealBytes
    ).run()
    try catalog.installSplits()
    promptsWaiting = try catalog.read("looking for prompts to index", PromptIndex.waiting)
    index = try catalog.loadIndex()
    let (oldest, kept) = try catalog.snapshotPromises()
    promised = kept
    leases = SnapshotLeases(
      oldest: oldest, kept: kept, lingerSeconds: options.snapshotLingerSeconds, clock: clock)
    space = StoreSpace(path, options.space, freeBytes: options.freeBytes)
    pixelCache = PixelCache(maximumBytes: options.pixelCacheBytes)
    self.options = options
    self.path = path
    self.clock = clock
    self.onChange = onChange
    uuid = catalog.uuid.uuidString.lowercased()
  }

  /// Microseconds since 1970 by the system's clock.
  public static let systemClock: @Sendable () -> Int64 = {
    Int64(Date().timeIntervalSince1970 * 1_000_000)
  }

  /// Makes the folders of a store with those above that are missing, and makes the names of a new
  /// store's folders durable: nothing is better kept than the way to it.
  private static func createFolders(_ path: String) throws(StoreError) {
    var made = try PosixFile.length(ofFileAt: path + "/" + Catalog.fileName) == nil ? [path] : []
    var above = path
    while !above.isEmpty, try PosixFile.length(ofFileAt: above) == nil {
      if above != path { made.append(above) }
      above = (above as NSString).deletingLastPathComponent
    }
    do {
      try FileManager.default.createDirectory(
        atPath: path + "/packs", withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700])
    } catch {
      throw StoreError(
        .unwritable, "\(path) cannot be created: \(error.localizedDescription)", cause: error)
    }
    for folder in made {
      let parent = (folder as NSString).deletingLastPathComponent
      try PosixFile.syncDirectory(parent.isEmpty ? "." : parent)
    }
  }

  private static func hasPacks(_ path: String) throws(StoreError) -> Bool {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path)
        .contains { $0.hasSuffix(".pack") }
    } catch {
      throw StoreError(
        .unwritable, "\(path) cannot be listed: \(error.localizedDescription)", cause: error)
    }
  }

  // MARK: Changes

  /// Makes a change together with whatever else waits, and returns when it is durable.
  nonisolated(nonsending) func write<T: Sendable>(
    _ triplet: EncodedTriplet? = nil, copies: [RecordCopy] = [],
    isWanted: @escaping @Sendable (Database) throws -> Bool = { _ in false },
    _ apply:
      @escaping @Sendable (Database, PendingWrite.Written?, inout CommitContext) throws -> T
  ) async throws(StoreError) -> T {
    let outcome: Result<T, StoreError> = await withCheckedContinuation { continuation in
      let result = Mutex<T?>(nil)
      submit([
        PendingWrite(
          triplet: triplet, copies: copies, isWanted: isWanted,
          apply: { db, blobs, context in
            let value = try apply(db, blobs, &context)
            result.withLock { $0 = value }
          },
          finish: { error in
            let value = result.withLock { $0 }
            if error == nil, let value {
              continuation.resume(returning: .success(value))
            } else {
              continuation.resume(
                returning: .failure(error ?? StoreError(.unwritable, "the change was not made")))
            }
          })
      ])
    }
    return try outcome.get()
  }

  /// Has changes made in the next commit.
  ///
  /// From any thread and without a turn on the store's own: a crowd of writers wakes it once.
  nonisolated func submit(_ writes: [PendingWrite]) {
    let waits = options.isMoreComing()
    guard pending.add(writes, waits: waits) else { return }
    let flush: @Sendable () -> Void = { [self] in
      assumeIsolated { store in
        // Unless what was waited for has come, and all are committed.
        if !waits || store.pending.isGathering { store.flush() }
      }
    }
    if waits {
      executor.queue.asyncAfter(deadline: .now() + options.gatheringTime, execute: flush)
    } else {
      executor.queue.async(execute: flush)
    }
  }

  private func flush() {
    let writes = pending.take()
    if let failure { return writes.forEach { $0.finish(failure) } }
    var commit = GroupCommit(
      catalog: catalog, index: index, promptsWaiting: promptsWaiting, space: space, now: clock(),
      failpoints: options.failpoints)
    let finished = commit.run(writes, &writer)
    promptsWaiting = commit.promptsWaiting
    failure = commit.fatal.map(StoreError.stopped(by:))
    factsCache.remove(commit.outdated)
    if let change = commit.change { onChange(change) }
    for (write, error) in zip(writes, finished) { write.finish(error) }
    shortenLog()
  }

  /// Keeps the catalog's log short, once those who waited for the commit have been told.
  private func shortenLog() {
    guard failure == nil else { return }
    do throws(StoreError) {
      try catalog.checkpointWhenDue()
    } catch {
      // The log stays whole, so the next commit tries again; but after a failed sync nobody knows
      // what the disk holds.
      if error.isUncertain { failure = .stopped(by: error) }
    }
  }

  /// Finishes what is pending and refuses everything later; the store may then be opened again.
  public func close() async {
    // What cannot be indexed now is when the store is next searched.
    try? await indexPrompts()
    closeNow()
  }

  private func closeNow() {
    flush()
    keepPromises()
    failure = StoreError(.unwritable, "the store is closed")
    do {
      try catalog.queue.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
      try catalog.queue.close()
    } catch {
      // Nothing is lost: the log is read again when the store is next opened.
    }
    lock = nil
  }

  /// Reads from the catalog.
  func read<T>(_ doing: String, _ body: (Database) throws -> T) throws(StoreError) -> T {
    try catalog.read(doing, body)
  }

  /// The time by the store's clock.
  func now() -> Int64 { clock() }
}
