import Schema

/// Appends records to the open pack; one at a time, from the store's own queue.
///
/// Small records are gathered and written together by ``flush()``.
/// Nothing counts until ``sync()`` has returned and the catalog has committed ``endBytes``:
/// ``rollBack()`` forgets what was appended since the last ``commit()``. A pack is sealed between
/// two commits, so that no commit spans two packs.
struct PackWriter {
  /// Notes a new pack in the catalog.
  typealias Register = @Sendable (Int) throws(StoreError) -> Void

  /// Bytes that are gathered before they are written.
  private static let gatheredBytes = 256 << 10

  private let folder: PackFolder
  private let sealBytes: Int
  private let failpoints: Failpoints
  private let register: Register
  private var file: PosixFile?
  private var committedBytes: Int
  private var isDirty = false
  /// Records that are not yet written; they end at ``endBytes``.
  private var gathered: [UInt8] = []
  private var isClosing = false
  /// The highest number that a pack ever had.
  private var newest: Int

  /// The pack that is appended to, or was last; 0 when there is none yet.
  private(set) var number: Int
  /// Where the next record goes.
  private(set) var endBytes: Int

  /// Continues pack `number`, whose last acknowledged record ends at `committedBytes`.
  init(
    _ folder: PackFolder, number: Int, newest: Int, committedBytes: Int, isSealed: Bool,
    sealBytes: Int = PackLayout.sealBytes, register: @escaping Register
  ) throws(StoreError) {
    self.folder = folder
    self.number = number
    self.newest = max(number, newest)
    self.sealBytes = sealBytes
    self.committedBytes = committedBytes
    self.register = register
    failpoints = folder.failpoints
    endBytes = committedBytes
    if number > 0, !isSealed, committedBytes < sealBytes { file = try folder.file(number) }
  }

  /// Whether the pack is full and the next record opens another.
  var isSealed: Bool { endBytes >= sealBytes || isClosing }

  /// Whether `number` is being appended to.
  func isOpen(_ number: Int) -> Bool { self.number == number && file != nil && !isClosing }

  /// Lets the next record open another pack.
  mutating func closePack() {
    precondition(!isDirty, "a pack is closed between two commits")
    isClosing = true
    file = nil
  }

  /// Appends one record and says where it lies.
  mutating func append(_ record: PackRecord) throws(StoreError) -> BlobPlace {
    let (bytes, checksum) = record.bytes()
    let offset = try append(bytes)
    return BlobPlace(
      kind: record.kind, ordinal: record.ordinal, pack: number, offset: offset,
      storedBytes: record.blob.payload.count, codec: record.blob.codec, checksum: checksum)
  }

  /// Appends whole records as they are; answers where they begin.
  mutating func append(_ bytes: [UInt8]) throws(StoreError) -> Int {
    let file = try openFile()
    isDirty = true
    let offset = endBytes
    // Where a test may interfere between two records, each is written by itself.
    let isGathered = bytes.count <= Self.gatheredBytes / 4 && !failpoints.isActive
    if !isGathered || gathered.count + bytes.count > Self.gatheredBytes { try flush() }
    if isGathered { gathered += bytes } else { try file.write(bytes, at: offset) }
    endBytes += bytes.count
    return offset
  }

  /// Writes what is gathered.
  mutating func flush() throws(StoreError) {
    guard !gathered.isEmpty else { return }
    try file?.write(gathered, at: endBytes - gathered.count)
    gathered.removeAll(keepingCapacity: true)
  }

  /// Has the disk begin with what was appended, so that ``sync()`` finds half of its work done.
  func startSync() {
    if isDirty { file?.startWriting(committedBytes..<endBytes) }
  }

  /// Waits until everything appended is on the disk.
  func sync() throws(StoreError) {
    guard isDirty else { return }
    precondition(gathered.isEmpty, "a sync behind a flush")
    try failpoints.reach(.syncBefore)
    try file?.sync()
    try failpoints.reach(.syncAfter)
  }

  /// Everything appended is acknowledged.
  mutating func commit() {
    precondition(gathered.isEmpty, "a commit behind a sync")
    committedBytes = endBytes
    isDirty = false
    if isSealed { file = nil }
  }

  /// Forgets everything appended since the last commit.
  mutating func rollBack() throws(StoreError) {
    guard isDirty else { return }
    gathered.removeAll(keepingCapacity: true)
    endBytes = committedBytes
    isDirty = false
    try file?.truncate(to: committedBytes)
  }

  private mutating func openFile() throws(StoreError) -> PosixFile {
    if let file { return file }
    let created = try folder.create(newest + 1)
    try register(newest + 1)
    newest += 1
    number = newest
    isClosing = false
    endBytes = PackLayout.fileHeaderBytes
    committedBytes = endBytes
    file = created
    try failpoints.reach(.packRegisterAfter)
    return created
  }
}
