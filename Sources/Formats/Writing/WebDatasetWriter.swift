import Schema

/// Writes WebDataset shards `000000.tar`, …: for each triplet `KEY.image.png`, `KEY.maskNNN.png` for
/// each mask, and `KEY.json` with the prompt, the masks' categories and the provenance.
package struct WebDatasetWriter: DatasetWriter {
  /// A shard that has reached this many bytes is followed by the next.
  package static let maximumShardBytes = 1 << 30

  private struct Facts: Encodable {
    let triplet: TripletID
    let width: Int
    let height: Int
    let prompt: String
    let masks: [MaskInfo]
    let provenance: Provenance
    let committedMicroseconds: Int64
  }

  private let folder: PartialFolder
  private let shardTriplets: Int
  private var shard: TarFile
  private var shardCount = 1
  private var count = 0

  init(_ folder: PartialFolder, shardTriplets: Int) throws(FormatError) {
    self.folder = folder
    self.shardTriplets = shardTriplets
    shard = try TarFile(folder.partial + "/000000.tar")
  }

  package mutating func add(_ triplet: ExportedTriplet) throws(FormatError) {
    let info = triplet.info
    var files = [("image.png", try Picture.bytes(triplet.image))]
    for (position, mask) in triplet.masks.enumerated() {
      let number = String(repeating: "0", count: max(0, 3 - "\(position)".count)) + "\(position)"
      files.append(("mask\(number).png", try Picture.bytes(mask)))
    }
    let facts = Facts(
      triplet: info.triplet, width: info.width, height: info.height, prompt: info.prompt,
      masks: info.masks, provenance: info.provenance,
      committedMicroseconds: info.committedMicroseconds)
    files.append(("json", try jsonBytes(facts)))
    if count == shardTriplets || shard.byteCount >= Self.maximumShardBytes { try nextShard() }
    let seconds = Int(info.committedMicroseconds / 1_000_000)
    for (name, bytes) in files {
      try shard.add("\(triplet.stem).\(name)", bytes, modifiedSeconds: seconds)
    }
    count += 1
  }

  private mutating func nextShard() throws(FormatError) {
    try shard.finish()
    let number = "\(shardCount)"
    let name = String(repeating: "0", count: max(0, 6 - number.count)) + number
    shard = try TarFile(folder.partial + "/\(name).tar")
    shardCount += 1
    count = 0
  }

  package mutating func finish() throws(FormatError) { try shard.finish() }
}
