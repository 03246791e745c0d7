import Formats
import Schema
import Wire

/// What an import has done.
struct ImportSummary: Encodable, Equatable {
  /// The name of the data set.
  let source: String
  /// Items of the data set that were looked at.
  var items = 0
  /// Triplets that are new in the store.
  var imported = 0
  /// Items that the store had already.
  var known = 0
  /// Items without a mask, which no store takes.
  var withoutMask = 0
  /// Items that were broken and left out.
  var broken = 0
  /// What was wrong, one sentence each, at most 100.
  var problems: [String] = []

  /// One line for a person.
  var sentence: String {
    "\(Quantity.text(items, "item")): \(imported) imported, \(known) known already, "
      + "\(withoutMask) without a mask, \(broken) broken.\n"
  }
}

/// Sends the items of a data set to the daemon, several at a time and asking ahead.
struct ImportRun {
  /// Bytes of pixels that one request carries, as long as it has more than one item.
  private static let requestBytes = 8 << 20
  /// Requests that wait for their answer at a time.
  private static let requestsAhead = 3
  private static let timeout: Duration = .seconds(300)

  let connection: Connection
  let console: Console
  let policy: ErrorPolicy
  let limit: Int
  private var summary: ImportSummary
  private var problems = ItemProblems()
  private var progress: ItemProgress
  private var waiting: [(id: RequestID, items: [DatasetItem])] = []

  init(
    connection: Connection, console: Console, source: String, policy: ErrorPolicy, limit: Int
  ) {
    self.connection = connection
    self.console = console
    self.policy = policy
    self.limit = limit
    summary = ImportSummary(source: source)
    progress = ItemProgress(total: limit, console: console)
  }

  /// Takes the items in their order.
  ///
  /// - Throws: ``ExitStatus/failed`` for a broken item when the policy is to stop; what was
  ///   imported until then stays.
  mutating func take(_ reader: any DatasetReader) throws(ClientError) -> ImportSummary {
    for problem in reader.problems { try problems.add(problem, policy, &progress) }
    var start = 0
    while start < limit {
      let end = min(limit, start + Limits.standard.maximumQueryRows)
      let known = try knownNames((start..<end).map(reader.itemName))
      try send(reader, start..<end, known)
      start = end
    }
    while !waiting.isEmpty { try receive() }
    progress.end(done: done, failed: problems.count)
    summary.broken = problems.count
    summary.problems = problems.sentences
    return summary
  }

  private var done: Int { summary.imported + summary.known + summary.withoutMask }

  private func knownNames(_ names: [String]) throws(ClientError) -> Set<String> {
    // A name that no store takes is reported when its item is sent.
    let askable = names.filter {
      (1...TripletImport.maximumItemBytes).contains($0.utf8.count) && !$0.utf8.contains(0)
    }
    guard !askable.isEmpty else { return [] }
    let answer = try connection.call(
      ImportList.self, .init(source: summary.source, items: askable))
    return Set(answer.known.map(\.item))
  }

  private mutating func send(
    _ reader: any DatasetReader, _ positions: Range<Int>, _ known: Set<String>
  ) throws(ClientError) {
    var batch: [DatasetItem] = []
    var batchBytes = 0
    for position in positions {
      summary.items += 1
      let name = reader.itemName(position)
      progress.show(done: done, failed: problems.count)
      if known.contains(name) {
        summary.known += 1
        continue
      }
      guard let item = try read(reader, position, name) else { continue }
      if !batch.isEmpty,
        batchBytes + item.byteCount > Self.requestBytes
          || batch.count == connection.limits.maximumImportItems
      {
        try send(batch)
        batch = []
        batchBytes = 0
      }
      batch.append(item)
      batchBytes += item.byteCount
    }
    if !batch.isEmpty { try send(batch) }
  }

  private mutating func read(
    _ reader: any DatasetReader, _ position: Int, _ name: String
  ) throws(ClientError) -> DatasetItem? {
    do throws(FormatError) {
      guard let item = try reader.item(position) else {
        summary.withoutMask += 1
        return nil
      }
      let bytes = item.byteCount + Safetensors.maximumHeaderBytes
      let most = connection.limits.maximumRequestBodyBytes
      guard bytes <= most else {
        throw FormatError(
          .badItem,
          "\(item.masks.count) masks of \(item.image.width)x\(item.image.height) take \(bytes) "
            + "bytes; at most \(most) go into one request")
      }
      return item
    } catch {
      try problems.add("'\(name.prefix(120))': \(error.message)", policy, &progress)
      return nil
    }
  }

  private mutating func send(_ items: [DatasetItem]) throws(ClientError) {
    while waiting.count >= Self.requestsAhead { try receive() }
    waiting.append((try connection.sendImport(items, source: summary.source), items))
  }

  private mutating func receive() throws(ClientError) {
    let (id, items) = waiting.removeFirst()
    do throws(WireError) {
      count(try connection.receiveImport(id, timeout: Self.timeout))
    } catch  where error.word.map(Self.isOfItem) == true {
      // One item of several was refused: each is sent alone to find out which.
      for item in items { try sendAlone(item) }
    } catch {
      progress.clear()
      throw ClientError(error)
    }
    progress.show(done: done, failed: problems.count)
  }

  private mutating func sendAlone(_ item: DatasetItem) throws(ClientError) {
    let id = try connection.sendImport([item], source: summary.source)
    do throws(WireError) {
      count(try connection.receiveImport(id, timeout: Self.timeout))
    } catch  where error.word.map(Self.isOfItem) == true {
      try problems.add("'\(item.name.prefix(120))': \(error.message)", policy, &progress)
    } catch {
      progress.clear()
      throw ClientError(error)
    }
  }

  private mutating func count(_ outcomes: [TripletImport.Outcome]) {
    for outcome in outcomes {
      if outcome.duplicate { summary.known += 1 } else { summary.imported += 1 }
    }
  }

  /// Whether a refusal is about what was sent, not about the daemon or its disk.
  private static func isOfItem(_ word: ErrorWord) -> Bool {
    [.invalidParams, .badBody, .categoryInvalid].contains(word)
  }
}

extension Connection {
  fileprivate func sendImport(
    _ items: [DatasetItem], source: String
  ) throws(ClientError) -> RequestID {
    let params = TripletImport.Params(
      source: source,
      items: items.map {
        TripletImport.Item(item: $0.name, prompt: $0.prompt, masks: $0.masks.map(\.info))
      })
    let body = TripletBody.encode(items.map { ($0.image, $0.masks.map(\.mask)) })
    return try send(TripletImport.self, params, body: body)
  }

  fileprivate func receiveImport(
    _ id: RequestID, timeout: Duration
  ) throws(WireError) -> [TripletImport.Outcome] {
    try receive(TripletImport.self, id, timeout: timeout).outcomes
  }
}
