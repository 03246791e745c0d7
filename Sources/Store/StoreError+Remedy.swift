import Foundation
import GRDB

/// What somebody can do about a system that refuses.
enum Remedy {
  case freeSpace
  case checkDisk
  case raiseFileLimit
  case freeMemory
  case allowAccess
  case restore
  case none

  /// What helps against a system call's error.
  init(errno number: Int32) {
    switch number {
    case ENOSPC, EDQUOT, EFBIG: self = .freeSpace
    case EIO: self = .checkDisk
    case EMFILE, ENFILE: self = .raiseFileLimit
    case ENOMEM: self = .freeMemory
    case EACCES, EPERM, EROFS: self = .allowAccess
    default: self = .none
    }
  }

  /// What helps against an error of SQLite, which keeps the system's own to itself.
  init(database code: ResultCode) {
    switch code {
    case .SQLITE_FULL: self = .freeSpace
    case .SQLITE_IOERR: self = .checkDisk
    case .SQLITE_CANTOPEN: self = .raiseFileLimit
    case .SQLITE_NOMEM: self = .freeMemory
    // SQLite calls what it could not read damaged.
    case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .restore
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: self = .allowAccess
    default: self = .none
    }
  }

  /// What is appended to a message.
  var text: String {
    switch self {
    case .freeSpace: "; free space on the disk of the store, then try again"
    case .checkDisk: "; look at the space on the disk and at the system's log: it may be failing"
    case .raiseFileLimit:
      "; look at the permissions of the store, and raise the limit of open files (LimitNOFILE)"
    case .freeMemory: "; free memory, or raise the limit of this process, then try again"
    case .allowAccess:
      "; look at the permissions of the store, at how its disk is mounted, and at the limit of open "
        + "files (LimitNOFILE)"
    case .restore:
      "; look at the system's log, whether the disk could be read, else restore the file from a "
        + "backup"
    case .none: ""
    }
  }
}

extension StoreError {
  /// What every change gets after one whose outcome on the disk is unknown.
  static func stopped(by first: StoreError) -> StoreError {
    StoreError(
      first.code,
      "the store takes no changes since a write failed, and still reads: start groundwelld again "
        + "when the disk is well (\(first.message))", cause: first)
  }
}
