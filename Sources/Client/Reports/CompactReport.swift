package import Schema

/// What a compaction has done, as text.
package enum CompactReport {
  /// What was done, then what was not and why.
  package static func rendered(_ answer: Compact.Result) -> String {
    var text =
      "freed \(StatusReport.bytes(max(0, answer.freedBytes))): "
      + "\(Quantity.text(answer.forgotten, "deleted triplet")) forgotten, "
      + "\(Quantity.text(answer.packs, "pack")) removed, "
      + "\(Quantity.text(answer.moved, "triplet")) moved\n"
    if answer.deadBytes > 0 {
      text +=
        "\(StatusReport.bytes(answer.deadBytes)) are dead in packs that are not worth emptying\n"
    }
    if answer.held > 0, let snapshot = answer.oldestHeld {
      text +=
        "\(Quantity.text(answer.held, "deleted triplet")) kept for streams from snapshot "
        + "\(snapshot) on\n"
    }
    if !answer.damaged.isEmpty {
      text +=
        "left because of damaged triplets: pack "
        + answer.damaged.map { "\($0)" }.joined(separator: ", ") + "\n"
    }
    return text
  }
}
