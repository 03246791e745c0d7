import Foundation
import Schema
import Synchronization

/// The pack files of one store: opened once each, read from any thread.
final class PackFolder: Sendable {
  /// Where the packs are.
  let path: String
  /// What happens at the points where a test may interfere.
  let failpoints: Failpoints
  private let store: [UInt8]
  private let state = Mutex(State())

  private struct State {
    var files: [Int: PosixFile] = [:]
    /// Packs that compaction has emptied; whoever asks for one has places that are out of date.
    var retired: Set<Int> = []
  }

  /// The packs under `path` of the store with this UUID.
  init(_ path: String, store: UUID, failpoints: Failpoints = .none) {
    self.path = path
    self.failpoints = failpoints
    self.store = bytes(of: store)
  }

  /// The file name of a pack.
  static func name(_ number: Int) -> String {
    String(repeating: "0", count: max(0, 6 - "\(number)".count)) + "\(number).pack"
  }

  /// The numbers of the files that are there.
  func numbers() throws(StoreError) -> [Int] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).compactMap { name in
        guard name.hasSuffix(".pack"), let number = Int(name.dropLast(5)),
          Self.name(number) == name
        else { return nil }
        return number
      }.sorted()
    } catch {
      throw StoreError(
        .unwritable, "\(path) cannot be listed: \(error.localizedDescription)", cause: error)
    }
  }

  /// The length of a pack's file; nil when there is none.
  func length(_ number: Int) throws(StoreError) -> Int? {
    try PosixFile.length(ofFileAt: path + "/" + Self.name(number))
  }

  /// Creates an empty pack and makes it durable.
  func create(_ number: Int) throws(StoreError) -> PosixFile {
    let path = path + "/" + Self.name(number)
    if let length = try PosixFile.length(ofFileAt: path) {
      guard length <= PackLayout.fileHeaderBytes else {
        throw StoreError(
          .corrupt, "\(path) is in the way: it has \(length) bytes and is no pack of the catalog")
      }
      // Left over from a commit that was never acknowledged.
      try remove(number)
    }
    try failpoints.reach(.packCreateBefore)
    let file = try PosixFile(path, .create)
    try file.write(header(number), at: 0)
    try failpoints.reach(.packCreateInside)
    try file.sync()
    try sync()
    try failpoints.reach(.packCreateAfter)
    state.withLock { $0.files[number] = file }
    return file
  }

  /// Makes the entries of the folder durable.
  func sync() throws(StoreError) { try PosixFile.syncDirectory(path) }

  /// Removes a pack's file, if it is there.
  func remove(_ number: Int) throws(StoreError) {
    let path = path + "/" + Self.name(number)
    state.withLock { $0.files[number] = nil }
    // Safe: the path is a Swift string, passed for the duration of the call.
    guard unsafe unlink(path) == 0 || errno == ENOENT else {
      throw StoreError.system("unlink", path, errno: errno)
    }
  }

  /// Lets a pack go that no row refers to any more; those who are reading it still can.
  func retire(_ number: Int) {
    state.withLock { state in
      state.files[number] = nil
      state.retired.insert(number)
    }
  }

  /// A pack that exists, its header checked when it is first opened.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when it is missing or another store's,
  ///   ``StoreError/Code/moved`` when compaction has emptied it.
  func file(_ number: Int) throws(StoreError) -> PosixFile {
    if let open = state.withLock({ $0.files[number] }) { return open }
    do throws(StoreError) {
      return try open(number)
    } catch {
      // Asked behind the failure: it may have been let go in between.
      guard state.withLock({ $0.retired.contains(number) }) else { throw error }
      throw StoreError(
        .moved, "\(Self.name(number)) was compacted away; look its triplets up again")
    }
  }

  private func open(_ number: Int) throws(StoreError) -> PosixFile {
    let path = path + "/" + Self.name(number)
    guard try PosixFile.length(ofFileAt: path) != nil else {
      throw StoreError(.corrupt, "\(path) is missing; the catalog needs it: restore it")
    }
    let file = try PosixFile(path, .write)
    let found = try file.read(at: 0, count: PackLayout.fileHeaderBytes)
    guard found == header(number) else {
      throw StoreError(
        .corrupt, "\(path) is no pack \(number) of this store; was it swapped or overwritten?")
    }
    state.withLock { state in
      if !state.retired.contains(number) { state.files[number] = file }
    }
    return file
  }

  /// Reads one blob and checks it.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  func blob(_ place: BlobPlace, of triplet: TripletID) throws(StoreError) -> EncodedBlob {
    let file = try file(place.pack)
    let bytes = try file.read(
      at: place.offset, count: PackLayout.recordHeaderBytes + place.storedBytes)
    return try PackRecord(
      bytes, place: place, of: triplet, file: Self.name(place.pack)
    ).blob
  }

  /// The bytes that a pack of this store begins with.
  func header(_ number: Int) -> [UInt8] {
    var bytes = PackLayout.fileMagic.littleEndianBytes + store + UInt64(number).littleEndianBytes
    bytes.append(contentsOf: repeatElement(0, count: 24))
    return bytes + xxh3(bytes[...]).littleEndianBytes
  }
}

/// The sixteen bytes of a UUID, in the order in which its text has them.
private func bytes(of uuid: UUID) -> [UInt8] {
  func value(_ digit: UInt8) -> UInt8 {
    digit <= UInt8(ascii: "9") ? digit - UInt8(ascii: "0") : digit - UInt8(ascii: "A") + 10
  }
  let digits = Array(uuid.uuidString.utf8).filter { $0 != UInt8(ascii: "-") }
  return stride(from: 0, to: digits.count, by: 2).map { index in
    value(digits[index]) << 4 | value(digits[index + 1])
  }
}
