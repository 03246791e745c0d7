import Foundation
import GRDB
import Schema
import Synchronization
import TestSupport
import Testing

@testable import Store

/// What becomes of a store whose disk refuses or is slow to take everything.
@Suite struct DurabilityTests {
  @Test("P1: after a sync that failed the store takes nothing more, says so, and reads on")
  func stopsAfterFailedSync() async throws {
    let directory = try TemporaryDirectory()
    let isBroken = Mutex(false)
    let failpoints = Failpoints { (point) throws(StoreError) in
      guard point == .syncBefore, isBroken.withLock({ $0 }) else { return }
      throw StoreError.system("fdatasync", "000001.pack", errno: EIO)
    }
    let store = try TripletStore(
      directory.file("store"), options: StoreOptions(failpoints: failpoints))
    try await store.fill("cat", 2)
    isBroken.withLock { $0 = true }
    let first = await #expect(throws: StoreError.self) { try await store.fill("dog", 1) }
    #expect(first?.message.contains("it may be failing") == true)
    isBroken.withLock { $0 = false }
    let second = await #expect(throws: StoreError.self) { try await store.fill("dog", 1) }
    #expect(second?.code == .unwritable)
    #expect(second?.message.contains("start groundwelld again") == true)
    #expect(second?.message.contains("000001.pack: fdatasync failed") == true)
    #expect(try await store.triplet(1).info.width == 16)
    await store.close()
    let again = try TripletStore(directory.file("store"))
    #expect(try await again.check(isDeep: true).problems == [])
    #expect(again.summary.triplets == 2)
    await again.close()
  }

  @Test(
    "an error of the system says what helps against it",
    arguments: [
      (ENOSPC, "free space"), (EDQUOT, "free space"), (EIO, "system's log"),
      (EMFILE, "limit of open files"), (ENFILE, "limit of open files"), (ENOMEM, "free memory"),
      (EROFS, "permissions"), (EACCES, "permissions"),
    ])
  func saysWhatHelps(number: Int32, remedy: String) {
    let message = StoreError.system("pwrite", "/x/000001.pack", errno: number).message
    #expect(message.contains("/x/000001.pack: pwrite failed"))
    #expect(message.contains(remedy))
  }

  @Test(
    "an error of the database says what helps against it",
    arguments: [
      (ResultCode.SQLITE_FULL, "free space"), (.SQLITE_IOERR, "system's log"),
      (.SQLITE_CANTOPEN, "limit of open files"), (.SQLITE_NOMEM, "free memory"),
      (.SQLITE_READONLY, "permissions"), (.SQLITE_CORRUPT, "backup"), (.SQLITE_NOTADB, "backup"),
    ])
  func databaseSaysWhatHelps(code: ResultCode, remedy: String) {
    let error = DatabaseError(resultCode: code)
    #expect(StoreError.database(error, "committing").message.contains(remedy))
  }

  @Test("the catalog's log is moved into the file while the store is open")
  func movesTheLog() async throws {
    let directory = try TemporaryDirectory()
    let moves = Mutex(0)
    let failpoints = Failpoints { (point) throws(StoreError) in
      if point == .checkpointAfter { moves.withLock { $0 += 1 } }
    }
    let path = directory.file("store")
    let store = try TripletStore(path, options: StoreOptions(failpoints: failpoints))
    let log = path + "/catalog.sqlite-wal"
    var longest = 0
    for round in 0..<30 {
      try await store.write { db, _, _ in
        try db.execute(
          sql: "INSERT INTO split (name, note) VALUES (?, hex(zeroblob(600000)))",
          arguments: ["split \(round)"])
      }
      longest = max(longest, try PosixFile.length(ofFileAt: log) ?? 0)
    }
    #expect(moves.withLock { $0 } >= 1)
    #expect(longest < 2 * Catalog.logBytes)
    #expect(try PosixFile.length(ofFileAt: log) ?? 0 <= Catalog.logBytes + (2 << 20))
    await store.close()
  }

  @Test("another program cannot open the catalog of an open store, not even to read")
  func catalogIsLocked() async throws {
    let fixture = try StoreFixture()
    let store = try fixture.open()
    try await store.fill("cat", 1)
    let script = """
      import sqlite3, sys
      try:
        sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM store')
      except sqlite3.OperationalError as error:
        sys.exit(7 if 'locked' in str(error) else 8)
      """
    // Another process: locks of this kind do not hold against one's own.
    let other = Process()
    other.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    other.arguments = ["python3", "-c", script, fixture.path + "/catalog.sqlite"]
    try other.run()
    other.waitUntilExit()
    #expect(other.terminationStatus == 7)
    await store.close()
  }
}
