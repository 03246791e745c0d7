package import Schema

/// What a check of the store found, as text.
package enum CheckReport {
  /// One line of what was looked at, then one for each problem.
  package static func rendered(_ check: Check.Result, style: TextStyle) -> String {
    let read = check.blobsRead == 0 ? "" : ", \(Quantity.text(check.blobsRead, "blob")) read"
    var text =
      "\(Quantity.text(check.triplets, "triplet")), \(Quantity.text(check.masks, "mask"))\(read):"
    guard !isClean(check) else { return text + " " + style.paint("no problems", .green) + ".\n" }
    text += "\n"
    for problem in check.problems {
      text += style.paint("problem", .red) + "  \(PrintableText.clean(problem))\n"
    }
    if !check.quarantined.isEmpty {
      text +=
        style.paint("set aside", .red) + "  triplets "
        + check.quarantined.map { "\($0)" }.joined(separator: ", ") + "\n"
    }
    return text
  }

  /// Whether nothing is wrong.
  package static func isClean(_ check: Check.Result) -> Bool {
    check.problems.isEmpty && check.quarantined.isEmpty
  }
}
