import Foundation
import GRDB
import Schema

/// Makes a store whole again at open, after whatever ended its last owner.
struct Recovery {
  let catalog: Catalog
  let packs: PackFolder
  let failpoints: Failpoints
  let sealBytes: Int

  /// What the catalog says of a pack.
  private struct PackFacts {
    let number: Int
    let committedBytes: Int
    let isSealed: Bool
  }

  /// Cuts off what was never acknowledged, returns leases, and says where to go on writing.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when acknowledged bytes are missing, or packs are there
  ///   that the catalog does not know.
  func run() throws(StoreError) -> PackWriter {
    try failpoints.reach(.recoveryBefore)
    let (facts, lastPack, retired) = try onDatabase("reading the packs") {
      try catalog.queue.read { db in
        (
          try Row.fetchAll(db, sql: "SELECT * FROM pack ORDER BY id").map { row in
            PackFacts(
              number: try row.get("id"), committedBytes: try row.get("committed_bytes"),
              isSealed: try row.get("is_sealed"))
          },
          try Int.fetchOne(db, sql: "SELECT last_pack FROM store") ?? 0,
          try Int.fetchAll(db, sql: "SELECT id FROM retired_pack")
        )
      }
    }
    try removeRetired(retired)
    let known = Set(facts.map(\.number))
    let newest = max(known.max() ?? 0, lastPack)
    try removeLeftovers(known, newest: newest)
    var last = PackFacts(number: 0, committedBytes: 0, isSealed: true)
    for pack in facts {
      let end = try endOfAcknowledged(pack)
      last = PackFacts(number: pack.number, committedBytes: end, isSealed: pack.isSealed)
    }
    try failpoints.reach(.recoveryInside)
    try returnLeases()
    try failpoints.reach(.recoveryAfter)
    let owner = catalog
    return try PackWriter(
      packs, number: last.number, newest: newest, committedBytes: last.committedBytes,
      isSealed: last.isSealed, sealBytes: sealBytes
    ) { (number) throws(StoreError) in try owner.register(pack: number) }
  }

  /// Compaction has emptied these, and was ended before their files were gone.
  private func removeRetired(_ numbers: [Int]) throws(StoreError) {
    guard !numbers.isEmpty else { return }
    for number in numbers { try packs.remove(number) }
    try packs.sync()
    try onDatabase("forgetting removed packs") {
      try catalog.queue.write { db in try db.execute(sql: "DELETE FROM retired_pack") }
    }
  }

  /// A file that was created and not used yet may go; any other unknown one is somebody's data.
  private func removeLeftovers(_ known: Set<Int>, newest: Int) throws(StoreError) {
    for number in try packs.numbers() where !known.contains(number) {
      let length = try packs.length(number) ?? 0
      // Version 1 did not write a pack's number down before its first commit.
      let isFirstCommit = catalog.versionBefore == 1 && number == newest + 1
      guard length <= PackLayout.fileHeaderBytes || isFirstCommit else {
        throw StoreError(
          .corrupt,
          "\(packs.path)/\(PackFolder.name(number)) has \(length) bytes and the catalog does not "
            + "know it: is the catalog older than its packs, or another store's? Restore both "
            + "from one backup, or move the file away (nothing was changed)")
      }
      try packs.remove(number)
    }
  }

  /// Where the last record ends that a row refers to or that was committed; what is behind it is
  /// cut off.
  private func endOfAcknowledged(_ pack: PackFacts) throws(StoreError) -> Int {
    let file = try packs.file(pack.number)
    let length = try file.length()
    let needed = try endOfRows(pack.number)
    guard length >= needed else {
      let missing = try tripletsBehind(length, in: pack.number)
      throw StoreError(
        .corrupt,
        "\(file.path) has \(length) bytes, the catalog needs \(needed): acknowledged triplets are "
          + "missing (\(idList(missing))); restore the pack from a backup")
    }
    let committed = max(pack.committedBytes, PackLayout.fileHeaderBytes)
    // The rows decide; the number only saves the look at bytes that no row refers to.
    let end = max(needed, min(committed, length / PackLayout.recordAlignment * 8))
    if length > end {
      try file.truncate(to: end)
      try file.sync()
    }
    if end != pack.committedBytes {
      try onDatabase("correcting a pack's end") {
        try catalog.queue.write { db in
          try db.execute(
            sql: "UPDATE pack SET committed_bytes = ? WHERE id = ?",
            arguments: [end, pack.number])
        }
      }
    }
    return end
  }

  private func endOfRows(_ pack: Int) throws(StoreError) -> Int {
    try onDatabase("looking for the end of a pack") {
      try catalog.queue.read { db in
        let last = try Int64.fetchOne(
          db, sql: "SELECT id FROM triplet WHERE pack = ? ORDER BY offset DESC LIMIT 1",
          arguments: [pack])
        guard let last, let stored = try uncheckedTriplet(db, last) else { return 0 }
        return stored.places.filter { $0.pack == pack }
          .map { $0.offset + $0.recordBytes }.max() ?? 0
      }
    }
  }

  private func tripletsBehind(_ length: Int, in pack: Int) throws(StoreError) -> [TripletID] {
    try onDatabase("looking for lost triplets") {
      try catalog.queue.read { db in
        try TripletID.fetchAll(
          db,
          sql: """
            SELECT id FROM triplet WHERE pack = ?1 AND offset + stored_bytes + 32 > ?2
            UNION SELECT triplet FROM mask WHERE pack = ?1 AND offset + stored_bytes + 32 > ?2
            ORDER BY 1
            """, arguments: [pack, length])
      }
    }
  }

  /// Leases end with the daemon that gave them; a worker that lives on may still submit, as long
  /// as nobody else has taken its item.
  private func returnLeases() throws(StoreError) {
    try onDatabase("returning leases") {
      try catalog.queue.write { db in
        try db.execute(
          sql: """
            UPDATE work_item SET state = 'pending', lease_expires_us = NULL
            WHERE state = 'leased'
            """)
      }
    }
  }
}

/// Ids for a message: runs as ranges, at most a few.
func idList(_ ids: [TripletID]) -> String {
  var ranges: [ClosedRange<TripletID>] = []
  for id in ids {
    if let last = ranges.last, last.upperBound + 1 == id {
      ranges[ranges.count - 1] = last.lowerBound...id
    } else {
      ranges.append(id...id)
    }
  }
  let shown = ranges.prefix(20).map { range in
    range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
  }
  let rest = ranges.count > 20 ? " and more" : ""
  return "triplets " + shown.joined(separator: ", ") + rest
}

extension Catalog {
  /// Notes a pack that was just created, before anything is written to it.
  func register(pack number: Int) throws(StoreError) {
    try onDatabase("noting a new pack") {
      try queue.write { db in
        try db.execute(
          sql: "INSERT INTO pack (id, committed_bytes) VALUES (?, ?)",
          arguments: [number, PackLayout.fileHeaderBytes])
        try db.execute(sql: "UPDATE store SET last_pack = ?", arguments: [number])
      }
    }
  }
}
