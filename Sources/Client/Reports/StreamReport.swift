package import Schema
package import Wire

/// What a stream has given so far: rates, draws, waits.
package struct StreamReport {
  /// The figures of one line of JSON.
  package struct Figures: Encodable, Sendable, Equatable {
    /// Batches so far.
    package var batches: Int
    /// The batch that comes next.
    package var next: Int
    /// Seconds since the first was asked for.
    package var seconds: Double
    /// Batches per second, lately.
    package var batchesPerSecond: Double
    /// Megabytes (10^6 bytes) per second, lately.
    package var megabytesPerSecond: Double
    /// Draws by category.
    package var draws: [String: Int]
    /// What batches waited for, in microseconds, all together.
    package var waits: BatchWaits
  }

  /// Batches so far.
  package private(set) var batches = 0
  private let categories: [StreamOpen.Category]
  private let start: ContinuousClock.Instant
  private var now: ContinuousClock.Instant
  private var next: Int
  private var draws: [Int]
  private var bytes = 0
  private var waits = BatchWaits()
  private var batchMeter = RateMeter()
  private var byteMeter = RateMeter()

  /// A report on a stream that begins at batch `from`.
  package init(_ opened: StreamOpen.Result, from: Int, at instant: ContinuousClock.Instant) {
    categories = opened.categories
    draws = [Int](repeating: 0, count: opened.categories.count)
    (start, now, next) = (instant, instant, from)
    batchMeter.add(0, at: instant)
    byteMeter.add(0, at: instant)
  }

  /// Takes note of a batch.
  package mutating func add(_ batch: StreamBatch, at instant: ContinuousClock.Instant) {
    add(
      k: batch.result.k, bytes: batch.byteCount, categories: batch.categories,
      waits: batch.result.waits, at: instant)
  }

  /// Takes note of a batch, given by its figures.
  package mutating func add(
    k: Int, bytes count: Int, categories: [Int], waits more: BatchWaits,
    at instant: ContinuousClock.Instant
  ) {
    batches += 1
    next = k + 1
    now = instant
    bytes += count
    for category in categories where draws.indices.contains(category) { draws[category] += 1 }
    waits.thinUs += more.thinUs
    waits.quotaUs += more.quotaUs
    waits.diskUs += more.diskUs
    waits.decodeUs += more.decodeUs
    batchMeter.add(batches, at: instant)
    byteMeter.add(bytes, at: instant)
  }

  /// All figures as they are now.
  package var figures: Figures {
    let seconds = start.duration(to: now) / .seconds(1)
    func overall(_ count: Int) -> Double { seconds > 0 ? Double(count) / seconds : 0 }
    return Figures(
      batches: batches, next: next, seconds: rounded(seconds),
      batchesPerSecond: rounded(batchMeter.perSecond ?? overall(batches)),
      megabytesPerSecond: rounded((byteMeter.perSecond ?? overall(bytes)) / 1e6),
      draws: Dictionary(
        uniqueKeysWithValues: zip(categories.map(\.category.text), draws)),
      waits: waits)
  }

  /// One line for a log.
  package var sentence: String {
    let figures = figures
    return "\(figures.batches) batches, \(figures.batchesPerSecond) batches/s, "
      + "\(figures.megabytesPerSecond) MB/s, waits \(split)"
  }

  /// The rates, the waits and a table of draws.
  package func rendered(columns: Int?, style: TextStyle) -> String {
    let most = draws.max() ?? 0
    var table = Table([("category", .left), ("stock", .right), ("draws", .right), ("", .left)])
    for (category, count) in zip(categories, draws) {
      let bar = most > 0 ? String(repeating: "█", count: count * 24 / most) : ""
      table.add([
        StyledText(PrintableText.clean(category.category.text)),
        StyledText("\(category.stock)", category.thin ? .red : nil),
        StyledText("\(count)", nil), StyledText(bar, .green),
      ])
    }
    return sentence + "\n" + table.rendered(columns: columns, style: style)
  }

  /// Where the time of the batches went, in parts of the whole.
  private var split: String {
    let parts = [
      ("decode", waits.decodeUs), ("disk", waits.diskUs), ("quota", waits.quotaUs),
      ("thin", waits.thinUs),
    ]
    let total = max(1, parts.reduce(0) { $0 + $1.1 })
    return parts.map { "\($0.0) \(($0.1 * 100 + total / 2) / total) %" }.joined(separator: ", ")
  }

  private func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
