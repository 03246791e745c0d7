package import Foundation
package import Schema

/// Triplets that were set aside, as text.
package enum QuarantineReport {
  /// A table, one line per triplet.
  package static func rendered(
    _ entries: [QuarantineList.Entry], now: Date, columns: Int?, style: TextStyle
  ) -> String {
    guard !entries.isEmpty else { return "Nothing is set aside.\n" }
    var table = Table([("TRIPLET", .right), ("FOUND", .left), ("REASON", .left)])
    for entry in entries {
      table.add([
        StyledText("\(entry.triplet)"),
        StyledText(MomentText.age(entry.foundMicroseconds, now: now)),
        StyledText(PrintableText.clean(entry.reason)),
      ])
    }
    return table.rendered(columns: columns, style: style)
  }

  /// What became of triplets that were to be taken back.
  package static func rendered(
    _ answer: QuarantineRelease.Result, style: TextStyle
  ) -> String {
    var text = ""
    for entry in answer.released { text += "triplet \(entry.triplet) is \(entry.became) now\n" }
    for entry in answer.damaged {
      text += style.paint("damaged", .red) + "  \(PrintableText.clean(entry.reason))\n"
    }
    if !answer.missing.isEmpty {
      text += "not set aside: " + answer.missing.map { "\($0)" }.joined(separator: ", ") + "\n"
    }
    return text.isEmpty ? "Nothing is set aside.\n" : text
  }
}

/// What a deletion has done, as text.
package enum DeleteReport {
  private static let shownCount = 10

  /// One line; `missing` is what those are that were not deleted.
  package static func rendered(_ answer: TripletDelete.Result, missing: String) -> String {
    var text = "deleted \(Quantity.text(answer.deleted, "triplet"))"
    if !answer.missing.isEmpty {
      text += "; \(answer.missing.count) \(missing): "
      text += answer.missing.prefix(shownCount).map { "\($0)" }.joined(separator: ", ")
      if answer.missing.count > shownCount { text += ", ..." }
    }
    return text + "\n"
  }
}
