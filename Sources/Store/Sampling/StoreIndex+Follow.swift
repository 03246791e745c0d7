import Schema

extension StoreIndex.State {
  /// Follows a transaction that has committed.
  ///
  /// - Parameter written: the pack that was written to and where it ends now; nil for none.
  mutating func follow(
    _ context: CommitContext, _ changedJobs: [JobInfo],
    _ targets: [(row: Int64, name: CategoryName, target: Int)],
    written: (pack: Int, endBytes: Int)?
  ) {
    for (row, name, target) in targets {
      rows[name] = row
      entries[row, default: .init(name: name, target: 0, instances: 0, list: CategoryList())]
        .target = target
    }
    for added in context.added {
      tripletCount += 1
      for (row, _, instances) in added.categories {
        entries[row]?.instances += instances
        entries[row]?.list.append(added.triplet)
      }
    }
    remove(context)
    for job in changedJobs { jobs[job.job] = job.state == .active ? job : nil }
    if let written { packEnds[written.pack] = written.endBytes }
    for (pack, change) in context.liveBytes {
      liveBytes[pack] = max(0, (liveBytes[pack] ?? 0) + change)
    }
    for pack in context.retiredPacks { (packEnds[pack], liveBytes[pack]) = (nil, nil) }
    snapshot = context.sequence
  }

  private mutating func remove(_ context: CommitContext) {
    // Each list is gone through once, however many of its triplets have gone.
    var gone: [Int64: Set<TripletID>] = [:]
    for removed in context.quarantined + context.deleted {
      lastRemoval = max(lastRemoval, removed.sequence)
      for (row, instances) in removed.categories {
        entries[row]?.instances -= instances
        gone[row, default: []].insert(removed.triplet)
      }
    }
    for (row, triplets) in gone {
      if let list = entries[row]?.list { entries[row]?.list = list.removing(triplets) }
    }
    quarantinedCount += context.quarantined.count
    tripletCount -= context.quarantined.count
    for removed in context.deleted {
      if removed.wasSetAside { quarantinedCount -= 1 } else { tripletCount -= 1 }
    }
    deletedCount += context.deleted.count - context.forgotten.count
  }

  /// Bytes of all packs.
  var packBytes: Int { packEnds.values.reduce(0, +) }

  /// Bytes of a pack that no row refers to.
  func deadBytes(of pack: Int) -> Int {
    max(0, (packEnds[pack] ?? 0) - PackLayout.fileHeaderBytes - (liveBytes[pack] ?? 0))
  }

  /// Bytes of all packs that no row refers to.
  var deadBytes: Int { packEnds.keys.reduce(0) { $0 + deadBytes(of: $1) } }
}
