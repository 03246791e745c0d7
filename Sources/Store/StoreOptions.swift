package import Dispatch
import Schema

/// How a store is opened.
public struct StoreOptions: Sendable {
  /// What happens at the points where a test may interfere.
  public var failpoints: Failpoints
  /// Seconds that a snapshot stays whole behind a stream that ended without saying that it is done.
  public var snapshotLingerSeconds = 600
  /// How much the store may take of its disk.
  public var space = SpaceLimits()
  /// Whether more changes will be there in a moment, so that a commit is worth a short wait.
  public var isMoreComing: @Sendable () -> Bool = { false }
  /// How long a commit then waits: its two syncs cost more.
  package var gatheringTime: DispatchTimeInterval = .microseconds(500)
  /// Bytes of memory for decoded images that are drawn again and again; 0 for none.
  public var pixelCacheBytes = 0
  /// What is free on the file system of a folder.
  package var freeBytes: @Sendable (String) -> Int? = StoreSpace.systemFreeBytes
  /// Bytes after which a pack is full.
  package var sealBytes = PackLayout.sealBytes

  /// The standard options.
  public init(failpoints: Failpoints = .none) { self.failpoints = failpoints }
}
