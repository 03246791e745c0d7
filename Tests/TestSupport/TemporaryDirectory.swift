import Foundation

/// A directory of a test's own, removed with the value that owns it.
public final class TemporaryDirectory: Sendable {
  /// Where it is; short enough for a socket inside it.
  public let path: String

  /// Makes an empty directory.
  public init() throws {
    let name = "gw-" + UUID().uuidString.prefix(8).lowercased()
    path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      // The test has moved or removed it itself.
    }
  }

  /// The path of something inside.
  public func file(_ name: String) -> String { path + "/" + name }
}
