import Foundation

/// What the system says of this process.
struct ProcessFigures: Sendable {
  /// Bytes of memory that it holds.
  var residentBytes = 0
  /// Descriptors that it has open.
  var openDescriptors = 0
  /// Descriptors that it may have open.
  var maximumDescriptors = 0
  /// Bytes of memory that it may lock.
  var maximumLockedBytes = 0

  /// Reads `/proc/self`; what cannot be read stays 0.
  static func read() -> ProcessFigures {
    var figures = ProcessFigures()
    let pages = FileManager.default.contents(atPath: "/proc/self/statm").flatMap { data in
      String(decoding: data, as: UTF8.self).split(separator: " ").dropFirst().first
        .flatMap { Int($0) }
    }
    figures.residentBytes = (pages ?? 0) * Int(getpagesize())
    do {
      figures.openDescriptors =
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    } catch {
      // Without /proc nobody knows.
    }
    figures.maximumDescriptors = limit(RLIMIT_NOFILE.rawValue)
    figures.maximumLockedBytes = limit(Self.lockedMemory)
    return figures
  }

  /// `RLIMIT_MEMLOCK` of Linux (getrlimit(2)), a macro that Swift does not see.
  private static let lockedMemory: UInt32 = 8

  private static func limit(_ resource: UInt32) -> Int {
    var limit = rlimit()
    // Safe: the struct lives for the duration of the call.
    guard unsafe getrlimit(__rlimit_resource_t(resource), &limit) == 0 else { return 0 }
    return Int(clamping: limit.rlim_cur)
  }
}

/// The files of a store from outside.
struct StoreFiles {
  private let path: String

  init(_ path: String) { self.path = path }

  /// Bytes of the catalog's write-ahead log.
  var walBytes: Int {
    var status = stat()
    // Safe: the path and the struct live for the duration of the call.
    return unsafe stat(path + "/catalog.sqlite-wal", &status) == 0 ? Int(status.st_size) : 0
  }

  /// Bytes that are left on its file system for those who are not root.
  var freeBytes: Int { space.free }

  /// Bytes of its file system.
  var totalBytes: Int { space.total }

  private var space: (free: Int, total: Int) {
    var status = statvfs()
    // Safe: the path and the struct live for the duration of the call.
    guard unsafe statvfs(path, &status) == 0 else { return (0, 0) }
    let block = Int(clamping: status.f_frsize)
    return (
      Int(clamping: status.f_bavail).multipliedReportingOverflow(by: block).partialValue,
      Int(clamping: status.f_blocks).multipliedReportingOverflow(by: block).partialValue
    )
  }
}
