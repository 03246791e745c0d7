import Foundation
public import Schema

extension TripletStore {
  /// Pages of the catalog that are copied between two looks at what else waits.
  private static let catalogPages: Int32 = 512

  /// What a backup holds, apart from its files.
  private struct Moment {
    let snapshot: Int64
    let triplets: Int
    let packEnds: [Int: Int]
  }

  /// Copies the store as it is at one moment into a new folder; streams and writers go on.
  ///
  /// The catalog is copied first, in steps, together with what changes meanwhile; packs only grow,
  /// so each is then copied up to where it ended when the catalog was complete. The folder carries
  /// another name until everything in it is on the disk.
  ///
  /// - Parameter progress: bytes that are copied, of how many.
  /// - Throws: ``StoreError/Code/invalidArgument`` for a folder that is there or cannot be made,
  ///   ``StoreError/Code/busy``, ``StoreError/Code/full``, ``StoreError/Code/unwritable``.
  public nonisolated func backup(
    to directory: String,
    progress: @Sendable (_ doneBytes: Int, _ totalBytes: Int) async -> Void = { _, _ in }
  ) async throws(StoreError) -> Backup.Result {
    let folder = try BackupFolder(directory, storePath: path)
    try await begin("a backup")
    do throws(StoreError) {
      try options.failpoints.reach(.backupBefore)
      try folder.make(needed: storeBytes + space.limits.minimumFreeBytes)
      let result = try await fill(folder, progress)
      await endBackup()
      return result
    } catch {
      await endBackup()
      folder.remove()
      throw error
    }
  }

  private nonisolated func fill(
    _ folder: BackupFolder,
    _ progress: @Sendable (_ doneBytes: Int, _ totalBytes: Int) async -> Void
  ) async throws(StoreError) -> Backup.Result {
    let total = storeBytes
    try await beginCatalog(folder.partial + "/" + Catalog.fileName)
    let moment = try await copyCatalog()
    var files = [try folder.finish(Catalog.fileName)]
    try options.failpoints.reach(.backupCatalogAfter)
    var done = files[0].bytes
    await progress(done, total)
    for (number, end) in moment.packEnds.sorted(by: { $0.key < $1.key }) {
      let source = try packs.file(number)
      let file = try await folder.copy(
        source, bytes: end, to: "packs/" + PackFolder.name(number)
      ) { bytes in
        await progress(done + bytes, total)
      }
      files.append(file)
      done += end
    }
    try options.failpoints.reach(.backupPacksAfter)
    let result = Backup.Result(
      version: Backup.version, store: uuid, catalogVersion: catalogVersion,
      snapshot: moment.snapshot, triplets: moment.triplets,
      createdMicroseconds: await now(), files: files)
    try folder.describe(result)
    try options.failpoints.reach(.backupManifestAfter)
    try folder.name()
    try options.failpoints.reach(.backupAfter)
    return result
  }

  private nonisolated func isWanted() throws(StoreError) {
    guard !Task.isCancelled else {
      throw StoreError(.busy, "the backup was given up: nobody waits for it any more")
    }
  }

  // MARK: On the store's queue

  private func beginCatalog(_ path: String) throws(StoreError) {
    catalogCopy = try CatalogCopy(catalog.queue, to: path)
  }

  /// Copies the catalog; answers what else was there at the moment when it was complete.
  private nonisolated func copyCatalog() async throws(StoreError) -> Moment {
    while true {
      try isWanted()
      if let moment = try await copySome() { return moment }
      // Whoever waits for the store comes in between.
      await Task.yield()
    }
  }

  /// Copies some pages; nil until they were the last.
  private func copySome() throws(StoreError) -> Moment? {
    guard let catalogCopy else { throw StoreError(.unwritable, "no backup is under way") }
    guard try catalogCopy.step(pages: Self.catalogPages).left == 0 else { return nil }
    self.catalogCopy = nil
    return index.read {
      Moment(snapshot: $0.snapshot, triplets: $0.tripletCount, packEnds: $0.packEnds)
    }
  }

  private func endBackup() {
    catalogCopy = nil
    end()
  }
}
