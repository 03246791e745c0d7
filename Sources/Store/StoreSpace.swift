import Foundation
import Synchronization

/// How much a store may take of its disk.
public struct SpaceLimits: Sendable, Equatable {
  /// Bytes of packs and catalog together; 0 for any number.
  public var maximumStoreBytes: Int
  /// Bytes that stay free on the store's file system.
  public var minimumFreeBytes: Int

  /// Limits; without any, a store takes what there is.
  public init(maximumStoreBytes: Int = 0, minimumFreeBytes: Int = 0) {
    self.maximumStoreBytes = maximumStoreBytes
    self.minimumFreeBytes = minimumFreeBytes
  }
}

/// Refuses what would not fit, before anything of it is written.
final class StoreSpace: Sendable {
  private struct State {
    var limits: SpaceLimits
    /// Bytes of the last handed-in item that was refused, and when.
    var refused: (bytes: Int, at: ContinuousClock.Instant)?
  }

  /// How long work is held back after an item that did not fit; then the next one tries.
  private static let holdBack: Duration = .seconds(10)
  /// Bytes that a change of the catalog takes beside its records, about.
  private static let catalogBytesPerTriplet = 4096

  private let path: String
  private let freeBytes: @Sendable (String) -> Int?
  private let state: Mutex<State>

  /// The space of the store in the folder `path`.
  ///
  /// - Parameter freeBytes: what is free on the file system of a folder; nil when nobody knows.
  init(
    _ path: String, _ limits: SpaceLimits, freeBytes: @escaping @Sendable (String) -> Int?
  ) {
    self.path = path
    self.freeBytes = freeBytes
    state = Mutex(State(limits: limits))
  }

  /// The limits.
  var limits: SpaceLimits {
    get { state.withLock { $0.limits } }
    set {
      state.withLock { state in
        if state.limits != newValue { state.refused = nil }
        state.limits = newValue
      }
    }
  }

  /// Bytes of the catalog and its log.
  var catalogBytes: Int {
    [Catalog.fileName, Catalog.fileName + "-wal"].reduce(0) { sum, name in
      sum + Self.length(path + "/" + name)
    }
  }

  /// Why a triplet whose records take `bytes` does not fit behind `packBytes` of packs; nil when it
  /// does.
  ///
  /// - Parameter isWork: whether it was ordered, so that others of its size will follow.
  func refusal(adding bytes: Int, packBytes: Int, isWork: Bool) -> StoreError? {
    let error = refusal(bytes + Self.catalogBytesPerTriplet, packBytes)
    if isWork {
      state.withLock { $0.refused = error == nil ? nil : (bytes: bytes, at: .now) }
    }
    return error
  }

  /// Why the next item of work would not fit; nil when it would, or nobody knows.
  func fullness(packBytes: Int) -> StoreError? {
    let bytes = state.withLock { state in
      guard let refused = state.refused, ContinuousClock.now - refused.at < Self.holdBack else {
        return 0
      }
      return refused.bytes
    }
    return refusal(bytes + Self.catalogBytesPerTriplet, packBytes)
  }

  /// Why compaction cannot copy `bytes`, which may take half of the reserve; nil when it can.
  func refusal(copying bytes: Int) -> StoreError? {
    let limits = limits
    guard let free = freeBytes(path), free - bytes < limits.minimumFreeBytes / 2 else {
      return nil
    }
    return StoreError(
      .full,
      "\(path): \(free) bytes are free, and compaction leaves "
        + "\(limits.minimumFreeBytes / 2); make room on the disk")
  }

  private func refusal(_ bytes: Int, _ packBytes: Int) -> StoreError? {
    let limits = limits
    if limits.maximumStoreBytes > 0 {
      let taken = packBytes + catalogBytes
      if taken + bytes > limits.maximumStoreBytes {
        return StoreError(
          .full,
          "the store takes \(taken) bytes of the \(limits.maximumStoreBytes) that it may "
            + "(store.maximum_store_bytes); delete triplets and compact, or raise the limit")
      }
    }
    if limits.minimumFreeBytes > 0, let free = freeBytes(path),
      free - bytes < limits.minimumFreeBytes
    {
      return StoreError(
        .full,
        "\(path): \(free) bytes are free and \(limits.minimumFreeBytes) must stay so "
          + "(store.minimum_free_bytes); make room on the disk, or delete triplets and compact")
    }
    return nil
  }

  private static func length(_ path: String) -> Int {
    var status = stat()
    // Safe: the path and the struct live for the duration of the call.
    return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// What the system says is free for those who are not root; nil when it says nothing.
  static func systemFreeBytes(_ path: String) -> Int? {
    var status = statvfs()
    // Safe: the path and the struct live for the duration of the call.
    guard unsafe statvfs(path, &status) == 0 else { return nil }
    return Int(clamping: status.f_bavail)
      .multipliedReportingOverflow(by: Int(clamping: status.f_frsize)).partialValue
  }
}

extension TripletStore {
  /// Puts other limits in force.
  public nonisolated func setSpaceLimits(_ limits: SpaceLimits) { space.limits = limits }

  /// Why the store takes no more triplets; nil when it does.
  public nonisolated var fullness: StoreError? {
    space.fullness(packBytes: index.read { $0.packBytes })
  }

  /// Bytes of packs and catalog.
  public nonisolated var storeBytes: Int {
    space.catalogBytes + index.read { $0.packBytes }
  }
}
