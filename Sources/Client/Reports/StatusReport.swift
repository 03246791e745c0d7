package import Schema

/// How the daemon and its store are, as text.
package enum StatusReport {
  /// The facts, then a table of workers if there are any.
  package static func rendered(
    _ status: Status.Result, columns: Int?, style: TextStyle
  ) -> String {
    var facts = FactList()
    let uptime = ReadableDuration.text(seconds: Double(status.uptimeSeconds))
    facts.add("daemon", "\(status.server), process \(status.process), up \(uptime)")
    facts.add("socket", status.socket)
    facts.add("store", status.storePath)
    facts.add("store id", status.store)
    facts.add("catalog", "version \(status.catalogVersion), snapshot \(status.snapshot)")
    let aside = status.quarantined == 0 ? "" : ", \(status.quarantined) quarantined"
    facts.add(
      "triplets",
      Quantity.text(status.triplets, "triplet") + " of "
        + Quantity.text(status.categories, "category", "categories") + aside)
    facts.add("packs", bytes(status.packBytes))
    facts.add("engine", status.defaultEngine)
    facts.add(
      "work",
      Quantity.text(status.activeJobs, "active job") + ", "
        + Quantity.text(status.pendingItems, "item") + " pending, \(status.leasedItems) leased")
    facts.add(
      "clients",
      Quantity.text(status.connections, "connection") + ", "
        + Quantity.text(status.streams, "stream"))
    guard !status.workers.isEmpty else {
      facts.add("workers", "none")
      return facts.rendered
    }
    return facts.rendered + "\n" + workers(status.workers, columns: columns, style: style)
  }

  /// `8.6 MiB`.
  package static func bytes(_ count: Int) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"]
    guard count >= 1024 else { return "\(count) bytes" }
    var value = Double(count) / 1024
    var unit = 0
    while value >= 1024, unit + 1 < units.count {
      value /= 1024
      unit += 1
    }
    return "\((value * 10).rounded() / 10) \(units[unit])"
  }

  private static func workers(
    _ workers: [WorkerInfo], columns: Int?, style: TextStyle
  ) -> String {
    var table = Table([
      ("WORKER", .right), ("STATE", .left), ("PROCESS", .right), ("FAILURES", .right),
      ("LAST ERROR", .left),
    ])
    for worker in workers {
      table.add([
        StyledText("\(worker.slot)"), StyledText(PrintableText.clean(worker.state)),
        StyledText(worker.process.map { "\($0)" } ?? "-"),
        StyledText("\(worker.failures)", worker.failures > 0 ? .red : nil),
        StyledText(PrintableText.clean(worker.lastError ?? "-")),
      ])
    }
    return table.rendered(columns: columns, style: style)
  }
}
