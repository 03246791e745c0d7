/// The answer to ``BatchGet`` as JSON, written by hand: the same bytes as ``JSONText/encode(_:)``.
///
/// It is the only message that a training loop asks for thousands of times a second, and its lists
/// of numbers take a general encoder as long as the decoding of dozens of small images.
extension BatchGet.Result {
  /// The text of the response to request `id`.
  ///
  /// - Throws: ``SchemaError/Code/badJSON``.
  public func responseText(id: RequestID) throws(SchemaError) -> [UInt8] {
    var text = TextWriter(capacity: 512 + 4 * epochs.count + 64 * prompts.count)
    try text.begin(id)
    text.add("{\"epochs\":")
    text.add(list: epochs)
    text.add(",\"k\":\(k),\"prompts\":")
    try text.add(strings: prompts)
    if let slot {
      text.add(
        ",\"slot\":{\"bytes\":\(slot.bytes),\"capacity_bytes\":\(slot.capacityBytes),"
          + "\"descriptor\":\(slot.descriptor),\"slot\":\(slot.slot)}")
    }
    text.add(",\"thin\":")
    try text.add(strings: thin.map(\.text))
    text.add(",\"token\":")
    text.bytes += try JSONText.encode(token)
    text.add(
      ",\"waits\":{\"decode_us\":\(waits.decodeUs),\"disk_us\":\(waits.diskUs),"
        + "\"quota_us\":\(waits.quotaUs),\"thin_us\":\(waits.thinUs)}}}")
    return text.bytes
  }
}

/// The answer to ``TripletImport`` as JSON, written by hand like that of a batch: a crowd of writers
/// that send one small triplet at a time waits for little else.
extension TripletImport.Result {
  /// The text of the response to request `id`.
  ///
  /// - Throws: ``SchemaError/Code/badJSON``.
  public func responseText(id: RequestID) throws(SchemaError) -> [UInt8] {
    var text = TextWriter(capacity: 64 + 48 * outcomes.count)
    try text.begin(id)
    text.add("{\"outcomes\":[")
    for (index, outcome) in outcomes.enumerated() {
      if index > 0 { text.add(",") }
      text.add("{\"duplicate\":\(outcome.duplicate),\"triplet\":\(outcome.triplet)}")
    }
    text.add("]}}")
    return text.bytes
  }
}

private struct TextWriter {
  var bytes: [UInt8] = []

  init(capacity: Int) { bytes.reserveCapacity(capacity) }

  /// What stands before the result.
  mutating func begin(_ id: RequestID) throws(SchemaError) {
    switch id {
    case .number(let number): add("{\"id\":\(number)")
    case .text(let string):
      add("{\"id\":")
      try add(string: string)
    }
    add(",\"jsonrpc\":\"2.0\",\"result\":")
  }

  mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

  mutating func add(list: [Int]) {
    bytes.append(UInt8(ascii: "["))
    // Neighbours are often equal: the text of the last one is remembered.
    var (last, text) = (0, Array("0".utf8))
    for (index, number) in list.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      if number != last { (last, text) = (number, Array("\(number)".utf8)) }
      bytes.append(contentsOf: text)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  mutating func add(strings: [String]) throws(SchemaError) {
    bytes.append(UInt8(ascii: "["))
    for (index, string) in strings.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      try add(string: string)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  mutating func add(string: String) throws(SchemaError) {
    let isPlain = string.utf8.allSatisfy { byte in
      byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") && byte != 0x7F
    }
    guard isPlain else { return bytes += try JSONText.encode(string) }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: string.utf8)
    bytes.append(UInt8(ascii: "\""))
  }
}
