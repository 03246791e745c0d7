import Foundation
import Schema
import Synchronization

/// The pack files of one store: opened once each, read from any thread.
final class PackFolder: Sendable {
  /// Where the packs are.
  let path: String
  private let store: [UInt8]
  private let files = Mutex<[Int: PosixFile]>([:])

  /// The packs under `path` of the store with this UUID.
  init(_ path: String, store: UUID) {
    self.path = path
    self.store = bytes(of: store)
  }

  /// The file name of a pack.
  static func name(_ number: Int) -> String {
    String(repeating: "0", count: max(0, 6 - "\(number)".count)) + "\(number).pack"
  }

  /// Creates an empty pack and makes it durable.
  func create(_ number: Int) throws(StoreError) -> PosixFile {
    let path = path + "/" + Self.name(number)
    // Left over from a commit that was never acknowledged: the catalog does not know it.
    // Safe: the path is a Swift string, passed for the duration of the call.
    unsafe unlink(path)
    let file = try PosixFile(path, .create)
    try file.write(header(number), at: 0)
    try file.sync()
    try PosixFile.syncDirectory(self.path)
    files.withLock { $0[number] = file }
    return file
  }

  /// A pack that exists, its header checked when it is first opened.
  ///
  /// - Throws: ``StoreError/Code/corrupt`` when it is missing or another store's.
  func file(_ number: Int) throws(StoreError) -> PosixFile {
    if let file = files.withLock({ $0[number] }) { return file }
    let path = path + "/" + Self.name(number)
    // Safe: the path is a Swift string, passed for the duration of the call.
    guard unsafe access(path, F_OK) == 0 else {
      throw StoreError(.corrupt, "\(path) is missing; the catalog needs it: restore it")
    }
    let file = try PosixFile(path, .write)
    let found = try file.read(at: 0, count: PackLayout.fileHeaderBytes)
    guard found == header(number) else {
      throw StoreError(
        .corrupt, "\(path) is no pack \(number) of this store; was it swapped or overwritten?")
    }
    files.withLock { $0[number] = file }
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

  private func header(_ number: Int) -> [UInt8] {
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
