import Schema

/// Appends records to the open pack; one at a time, from the store's own queue.
///
/// Nothing counts until ``sync()`` has returned and the catalog has committed ``endBytes``:
/// ``rollBack()`` forgets what was appended since the last ``commit()``. A pack is sealed between
/// two commits, so that no commit spans two packs.
struct PackWriter {
  private let folder: PackFolder
  private let sealBytes: Int
  private var file: PosixFile?
  private var committedBytes: Int
  private var isDirty = false

  /// The pack that is appended to, or was last; 0 when there is none yet.
  private(set) var number: Int
  /// Where the next record goes.
  private(set) var endBytes: Int

  /// Continues pack `number`, whose last acknowledged record ends at `committedBytes`.
  init(
    _ folder: PackFolder, number: Int, committedBytes: Int, isSealed: Bool,
    sealBytes: Int = PackLayout.sealBytes
  ) throws(StoreError) {
    self.folder = folder
    self.number = number
    self.sealBytes = sealBytes
    self.committedBytes = committedBytes
    endBytes = committedBytes
    if number > 0, !isSealed { file = try folder.file(number) }
  }

  /// Whether the pack is full and the next record opens another.
  var isSealed: Bool { endBytes >= sealBytes }

  /// Appends one record and says where it lies.
  mutating func append(_ record: PackRecord) throws(StoreError) -> BlobPlace {
    let file = try openFile()
    let (bytes, checksum) = record.bytes()
    isDirty = true
    try file.write(bytes, at: endBytes)
    let place = BlobPlace(
      kind: record.kind, ordinal: record.ordinal, pack: number, offset: endBytes,
      storedBytes: record.blob.payload.count, codec: record.blob.codec, checksum: checksum)
    endBytes += bytes.count
    return place
  }

  /// Waits until everything appended is on the disk.
  mutating func sync() throws(StoreError) {
    guard isDirty else { return }
    try file?.sync()
  }

  /// Everything appended is acknowledged.
  mutating func commit() {
    committedBytes = endBytes
    isDirty = false
    if isSealed { file = nil }
  }

  /// Forgets everything appended since the last commit.
  mutating func rollBack() throws(StoreError) {
    guard isDirty else { return }
    endBytes = committedBytes
    isDirty = false
    try file?.truncate(to: committedBytes)
  }

  private mutating func openFile() throws(StoreError) -> PosixFile {
    if let file { return file }
    let created = try folder.create(number + 1)
    number += 1
    endBytes = PackLayout.fileHeaderBytes
    committedBytes = endBytes
    file = created
    return created
  }
}
