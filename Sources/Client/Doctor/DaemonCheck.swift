package import Schema

/// What the daemon says of itself and its store.
package enum DaemonCheck {
  /// The first SQLite without the WAL-reset bug; with an older one the store relies on its one
  /// connection.
  private static let safeSQLite = (3, 51, 3)
  /// Share of a file system under which it is nearly full, and under which it is full.
  private static let (scarceShare, fullShare) = (0.10, 0.02)
  /// Bytes of the catalog's log that a checkpoint should have taken away.
  private static let longLogBytes = 256 << 20
  /// Descriptors beside those of clients and their batches.
  private static let spareDescriptors = 64

  /// What is found.
  package static func findings(
    status: Status.Result, daemon: Diagnose.Result, check: Check.Result
  ) -> [Finding] {
    [
      Finding(.fine, "daemon", "\(status.server), process \(status.process)"),
      sqlite(daemon.sqlite),
      Finding(.fine, "libraries", "LZ4 \(daemon.lz4), xxHash \(daemon.xxhash)"),
      descriptors(daemon, status), memory(daemon),
      Finding(
        .fine, "locked memory",
        "\(StatusReport.bytes(daemon.maximumLockedBytes)) allowed, none is needed"),
      space(daemon, status), quota(daemon), log(daemon),
      writable(daemon), health(check, status), workers(status), supervision(daemon),
      Finding(
        .fine, "settings",
        "\(daemon.configuration ?? "no file, defaults"); figures \(daemon.metrics ?? "off")"),
    ]
  }

  private static func sqlite(_ version: String) -> Finding {
    let parts = version.split(separator: ".").map { Int($0) ?? 0 } + [0, 0, 0]
    let hasBug = (parts[0], parts[1], parts[2]) < safeSQLite
    return Finding(
      .fine, "SQLite",
      hasBug ? "\(version): has the WAL-reset bug, which one connection keeps away" : version)
  }

  private static func descriptors(_ daemon: Diagnose.Result, _ status: Status.Result) -> Finding {
    let left = daemon.maximumDescriptors - daemon.openDescriptors
    let level: Finding.Level =
      left < spareDescriptors ? .wrong : left < 1024 ? .doubtful : .fine
    return Finding(
      level, "daemon's files",
      "\(daemon.openDescriptors) of \(daemon.maximumDescriptors) descriptors open, "
        + "\(status.connections) clients",
      "raise LimitNOFILE= (or ulimit -n) of the daemon, or lower server.maximum_connections")
  }

  private static func memory(_ daemon: Diagnose.Result) -> Finding {
    let isTight = daemon.slotBytes > daemon.maximumSlotBytes / 10 * 9
    return Finding(
      isTight ? .doubtful : .fine, "memory",
      "\(StatusReport.bytes(daemon.residentBytes)) resident, batches in shared memory take "
        + "\(StatusReport.bytes(daemon.slotBytes)) of \(StatusReport.bytes(daemon.maximumSlotBytes))",
      "clients are about to get over_quota: give batches back sooner, or raise "
        + "limits.maximum_slot_bytes")
  }

  private static func space(_ daemon: Diagnose.Result, _ status: Status.Result) -> Finding {
    let share = Double(daemon.storeFreeBytes) / Double(max(1, daemon.storeTotalBytes))
    let level: Finding.Level =
      share < fullShare ? .wrong : share < scarceShare ? .doubtful : .fine
    return Finding(
      level, "disk",
      "\(StatusReport.bytes(daemon.storeFreeBytes)) of "
        + "\(StatusReport.bytes(daemon.storeTotalBytes)) free at \(status.storePath)",
      "make room: a full disk refuses every new triplet; what is stored stays readable")
  }

  private static func quota(_ daemon: Diagnose.Result) -> Finding {
    let taken = StatusReport.bytes(daemon.storeBytes)
    if let full = daemon.full {
      return Finding(
        .wrong, "quota", "full: \(full)",
        "nothing is lost, and streams go on; backfills wait until there is room")
    }
    let dead = daemon.deadBytes > 0 ? ", \(StatusReport.bytes(daemon.deadBytes)) of it dead" : ""
    let reserve = "\(StatusReport.bytes(daemon.minimumFreeBytes)) must stay free"
    guard daemon.maximumStoreBytes > 0 else {
      return Finding(.fine, "quota", "\(taken) taken\(dead), no limit; \(reserve)")
    }
    let isTight =
      Double(daemon.storeBytes) > (1 - scarceShare) * Double(daemon.maximumStoreBytes)
    return Finding(
      isTight ? .doubtful : .fine, "quota",
      "\(taken) of \(StatusReport.bytes(daemon.maximumStoreBytes)) taken\(dead); \(reserve)",
      "the store is about to refuse triplets: delete some and compact, or raise "
        + "store.maximum_store_bytes")
  }

  private static func log(_ daemon: Diagnose.Result) -> Finding {
    Finding(
      daemon.walBytes > longLogBytes ? .doubtful : .fine, "catalog log",
      "\(StatusReport.bytes(daemon.walBytes)) since the last checkpoint",
      "it should be a few MiB; look for a 'catalog' error in the daemon's log, and restart it")
  }

  private static func writable(_ daemon: Diagnose.Result) -> Finding {
    guard let refusal = daemon.refusal else {
      return Finding(.fine, "store", "takes changes")
    }
    return Finding(
      .wrong, "store", "refuses changes: \(refusal)",
      "the disk failed a write; see to the disk, then restart the daemon")
  }

  private static func health(_ check: Check.Result, _ status: Status.Result) -> Finding {
    if let problem = check.problems.first {
      return Finding(
        .wrong, "store health",
        "\(Quantity.text(check.problems.count, "problem")): \(problem)",
        "see 'groundwell check --deep'; keep a copy of the store before anything else")
    }
    let aside = check.quarantined.count
    return Finding(
      aside > 0 ? .doubtful : .fine, "store health",
      "counts agree with a recount of \(Quantity.text(check.triplets, "triplet"))"
        + (aside > 0 ? "; \(aside) set aside because their bytes broke" : ""),
      "bytes on the disk changed: see 'groundwell check', and test the disk")
  }

  private static func workers(_ status: Status.Result) -> Finding {
    guard let failing = status.workers.first(where: { $0.state == "backing off" }) else {
      let running = status.workers.count { $0.state == "running" }
      return Finding(.fine, "workers", "\(running) of \(status.workers.count) running")
    }
    return Finding(
      .doubtful, "workers",
      "worker \(failing.slot) failed \(Quantity.text(failing.failures, "time")): "
        + (failing.lastError ?? "no reason given"),
      "run 'groundwell-generator work' by hand to see its error")
  }

  private static func supervision(_ daemon: Diagnose.Result) -> Finding {
    guard daemon.supervised else {
      return Finding(.fine, "supervision", "none: started by hand")
    }
    let watchdog = daemon.watchdogSeconds.map { "watchdog of \($0) s" } ?? "no watchdog"
    return Finding(.fine, "supervision", "a service manager, \(watchdog)")
  }
}
