import Foundation

/// What the machine allows, whether a daemon runs or not.
package enum MachineCheck {
  /// The kernel that brought sealed memory (memfd_create(2)), in which batches travel.
  package static let oldestKernel = (major: 3, minor: 17)
  /// Descriptors that a daemon with its default limits is comfortable with.
  package static let wantedDescriptors = 4096
  /// Bytes of shared memory that a trainer's loader is comfortable with.
  package static let wantedSharedBytes = 1 << 30

  static func findings() -> [Finding] {
    var names = utsname()
    // Safe: the struct lives for the duration of the call.
    _ = unsafe uname(&names)
    // Safe: the field is a zero-terminated array of its own size.
    let release = unsafe withUnsafeBytes(of: names.release) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    return [
      kernel(release), descriptors(hardDescriptorLimit()), sharedMemory(sharedMemoryFreeBytes()),
    ]
  }

  /// The kernel, by the name of its release such as `6.1.0-38-amd64`.
  package static func kernel(_ release: String) -> Finding {
    let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
    let (major, minor) = (numbers.first ?? 0, numbers.count > 1 ? numbers[1] : 0)
    let isOld = (major, minor) < (oldestKernel.major, oldestKernel.minor)
    return Finding(
      isOld ? .wrong : .fine, "kernel", "Linux \(release)",
      "batches in shared memory need \(oldestKernel.major).\(oldestKernel.minor) or newer")
  }

  /// The most descriptors that a process of this user may have (`ulimit -Hn`).
  package static func descriptors(_ limit: Int) -> Finding {
    Finding(
      limit < wantedDescriptors ? .doubtful : .fine, "descriptors",
      "a process may have \(limit) (ulimit -Hn)",
      "raise it to \(wantedDescriptors) or more: LimitNOFILE= in the service unit, or "
        + "/etc/security/limits.conf")
  }

  /// What is left in /dev/shm, which PyTorch's workers use; the daemon's own memory is not there.
  package static func sharedMemory(_ freeBytes: Int?) -> Finding {
    guard let freeBytes else {
      return Finding(
        .doubtful, "/dev/shm", "not there", "mount a tmpfs on it: loaders with workers need it")
    }
    return Finding(
      freeBytes < wantedSharedBytes ? .doubtful : .fine, "/dev/shm",
      "\(StatusReport.bytes(freeBytes)) free",
      "loaders with workers pass tensors through it; in a container, start it with --shm-size=2g")
  }

  private static func hardDescriptorLimit() -> Int {
    var limit = rlimit()
    // Safe: the struct lives for the duration of the call.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      return 0
    }
    return Int(clamping: limit.rlim_max)
  }

  private static func sharedMemoryFreeBytes() -> Int? {
    var status = statvfs()
    // Safe: the path and the struct live for the duration of the call.
    guard unsafe statvfs("/dev/shm", &status) == 0 else { return nil }
    return Int(clamping: status.f_bavail)
      .multipliedReportingOverflow(by: Int(clamping: status.f_frsize)).partialValue
  }
}
