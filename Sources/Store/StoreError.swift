import Foundation
private import GRDB
private import Schema

/// A failure of the store that a caller can act on.
public struct StoreError: Error, Sendable {
  /// What kind of failure this is; the daemon maps each to one word on the wire.
  public enum Code: String, Sendable {
    /// Another process owns the store.
    case locked
    /// A newer version of the program wrote the store.
    case newerVersion
    /// Bytes on disk are not what was written.
    case corrupt
    /// The catalog's file is damaged.
    case catalogDamaged
    /// The disk is full, read-only or failing; nothing of the change was kept.
    case unwritable
    /// A value is outside its documented range.
    case invalidArgument
    /// The store has no such category.
    case categoryUnknown
    /// The store has no such triplet.
    case tripletUnknown
    /// The store has no such job.
    case jobUnknown
    /// The job has no such item, or nobody has leased it.
    case itemUnknown
    /// The item belongs to a later lease, or its job is cancelled.
    case tokenStale
    /// The snapshot is later than the newest, from another store, or compacted away.
    case snapshotGone
    /// Compaction has moved the bytes since they were looked up; look them up again.
    case moved
    /// The store has reached its quota, or the disk the reserve that must stay free.
    case full
    /// Another task that goes through the whole store is under way.
    case busy
  }

  /// The kind of failure.
  public let code: Code
  /// One sentence: what failed, on which file or id, expected against found, what to do.
  public let message: String
  /// The error below this one, if there was one.
  public let cause: (any Error)?

  /// Creates an error.
  public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  /// Whether the change may be on the disk although it failed: a commit whose sync failed.
  var isUncertain: Bool { (cause as? DatabaseError)?.resultCode == .SQLITE_IOERR }

  /// A refused system call, with the reason that `errno` gives.
  static func system(_ call: String, _ path: String, errno number: Int32) -> StoreError {
    // Safe: the text is copied before another call can change it.
    let reason = unsafe String(cString: strerror(number))
    let remedy = Remedy(errno: number).text
    let code: Code = [ENOSPC, EDQUOT].contains(number) ? .full : .unwritable
    return StoreError(code, "\(path): \(call) failed: \(reason) (\(number))\(remedy)")
  }

  /// What an error of the database means for a caller.
  static func database(_ error: any Error, _ doing: String) -> StoreError {
    if let error = error as? StoreError { return error }
    if let error = error as? SchemaError {
      return StoreError(.invalidArgument, error.message, cause: error)
    }
    if let error = error as? RowDecodingError {
      return StoreError(
        .catalogDamaged, "catalog.sqlite: \(doing) found a value of another type: \(error)",
        cause: error)
    }
    guard let error = error as? DatabaseError else {
      return StoreError(.unwritable, "catalog: \(doing) failed: \(error)", cause: error)
    }
    switch error.resultCode {
    case .SQLITE_CONSTRAINT, .SQLITE_TOOBIG, .SQLITE_MISMATCH, .SQLITE_RANGE:
      return StoreError(
        .invalidArgument, "\(doing): a value breaks a rule of the catalog: \(error.message ?? "")",
        cause: error)
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      return StoreError(
        .catalogDamaged,
        "catalog.sqlite: \(doing) failed, the file is damaged: \(error.message ?? "")"
          + Remedy(database: error.resultCode).text,
        cause: error)
    case .SQLITE_FULL:
      return StoreError(
        .full,
        "catalog.sqlite: \(doing) failed: the disk is full"
          + Remedy(database: error.resultCode).text, cause: error)
    default:
      return StoreError(
        .unwritable,
        "catalog.sqlite: \(doing) failed: \(error.message ?? "no reason given")"
          + Remedy(database: error.resultCode).text,
        cause: error)
    }
  }
}

extension StoreError: CustomStringConvertible {
  /// `corrupt: 000001.pack: …`.
  public var description: String { "\(code.rawValue): \(message)" }
}

/// Runs a piece of database work and gives its failures this module's type.
func onDatabase<T>(_ doing: String, _ body: () throws -> T) throws(StoreError) -> T {
  do {
    return try body()
  } catch {
    throw StoreError.database(error, doing)
  }
}
