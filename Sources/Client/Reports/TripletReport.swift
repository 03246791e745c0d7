package import Foundation
package import Schema

/// Triplets as text.
package enum TripletReport {
  /// A table, one line per triplet.
  package static func rendered(
    _ triplets: [TripletInfo], now: Date, columns: Int?, style: TextStyle
  ) -> String {
    guard !triplets.isEmpty else { return "No triplets.\n" }
    var table = Table([
      ("TRIPLET", .right), ("SIZE", .right), ("ENGINE", .left), ("CATEGORIES", .left),
      ("STORED", .left), ("PROMPT", .left),
    ])
    for triplet in triplets {
      table.add([
        StyledText("\(triplet.triplet)"), StyledText("\(triplet.width)x\(triplet.height)"),
        StyledText(PrintableText.clean(triplet.provenance.engine)),
        StyledText(PrintableText.cut(categories(triplet.masks), columns: 32)),
        StyledText(MomentText.age(triplet.committedMicroseconds, now: now)),
        StyledText(PrintableText.clean(triplet.prompt)),
      ])
    }
    return table.rendered(columns: columns, style: style)
  }

  /// `cat, dog x2`.
  package static func categories(_ masks: [MaskInfo]) -> String {
    var order: [CategoryName] = []
    var counts: [CategoryName: Int] = [:]
    for mask in masks {
      if counts[mask.category] == nil { order.append(mask.category) }
      counts[mask.category, default: 0] += 1
    }
    return order.map { name in
      let count = counts[name] ?? 0
      return PrintableText.clean(name.text) + (count > 1 ? " x\(count)" : "")
    }.joined(separator: ", ")
  }

  /// All that is known of one triplet besides its pixels.
  package static func details(
    _ triplet: TripletInfo, columns: Int?, style: TextStyle
  ) -> String {
    var facts = FactList()
    let provenance = triplet.provenance
    facts.add("triplet", "\(triplet.triplet)")
    facts.add("prompt", triplet.prompt)
    facts.add("size", "\(triplet.width)x\(triplet.height) pixels")
    facts.add("engine", provenance.engine)
    facts.add("model", ifKnown: provenance.modelFingerprint)
    facts.add("seed", "\(provenance.seed)")
    facts.add("sampler", ifKnown: provenance.sampler)
    facts.add("steps", ifKnown: provenance.steps.map { "\($0)" })
    facts.add("guidance", ifKnown: provenance.guidanceScale.map { "\($0)" })
    facts.add("grounding", ifKnown: provenance.groundingFingerprint)
    facts.add("worker", provenance.worker)
    facts.add("created", MomentText.date(provenance.createdMicroseconds))
    facts.add("stored", MomentText.date(triplet.committedMicroseconds))
    return facts.rendered + "\n" + masks(triplet, columns: columns, style: style)
  }

  private static func masks(
    _ triplet: TripletInfo, columns: Int?, style: TextStyle
  ) -> String {
    var table = Table([
      ("MASK", .left), ("INSTANCE", .right), ("SOURCE", .left), ("PIXELS", .right),
      ("AREA", .right), ("VISIBLE", .right), ("CONFIDENCE", .right),
    ])
    let area = Double(triplet.width * triplet.height)
    for mask in triplet.masks {
      table.add([
        StyledText(PrintableText.clean(mask.category.text)), StyledText("\(mask.instance)"),
        StyledText(mask.source.rawValue),
        StyledText(mask.pixelCount.map { "\($0)" } ?? "-"),
        StyledText(percent(mask.pixelCount.map { Double($0) / area })),
        StyledText(percent(mask.visibleFraction)), StyledText(percent(mask.confidence)),
      ])
    }
    return table.rendered(columns: columns, style: style)
  }

  private static func percent(_ share: Double?) -> String {
    guard let share, share.isFinite else { return "-" }
    return "\((share * 1000).rounded() / 10)%"
  }
}
